# Runs a program, and when that ends, however it ends, ends everything that it has started.
# Workers that a killed nginx leaves behind would go on, and hold the port against its successor.
# supervisord makes this shell the first process of a group: until it is gone, the group's number is nobody else's.
ulimit -Sn 65536 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
"$@" &
child=$!
for signal in HUP TERM QUIT; do
  trap "kill -$signal $child" $signal
done
while kill -0 $child 2>/dev/null; do
  wait $child
done
kill -KILL 0
