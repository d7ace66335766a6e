# Python's tools for the checks of what is not code. Scripts source this from the top of the package;
# after that, `python` is the folder of their programs.

python=${CARGO_TARGET_DIR:-target}/python/bin
[ -x "$python/pip" ] || python3 -m venv "${python%/bin}"
"$python/pip" install --quiet --disable-pip-version-check --requirement scripts/checks/requirements.txt
