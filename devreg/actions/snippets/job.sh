(
set -eu
python3 -m venv .devreg
.devreg/bin/pip install --quiet devreg==$version
$files
.devreg/bin/devreg bootstrap .devreg/devreg.toml
)
