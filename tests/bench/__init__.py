"""Side by side with what people use today, in one run: ratios, since seconds differ from machine to machine."""
