# The programs of scripts/requirements.txt, in an environment of their own. Scripts source this from
# the top of the repository; after that, `$python` is the folder of the programs.

python=${CARGO_TARGET_DIR:-$PWD/target}/python/bin
if ! cmp --silent scripts/requirements.txt "$python/requirements.txt"; then
    [ -x "$python/pip" ] || python3 -m venv "${python%/bin}"
    "$python/pip" install --quiet --disable-pip-version-check --requirement scripts/requirements.txt
    cp scripts/requirements.txt "$python"
fi
