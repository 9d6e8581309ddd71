"""What the scripts of `make interop` share: skipping, running medgraft, checking."""
import atexit
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build/release")
NAME = os.path.splitext(os.path.basename(sys.argv[0]))[0]
work = tempfile.mkdtemp(prefix="medgraft-interop-")
atexit.register(shutil.rmtree, work, True)


def have(module):
    """The module, or None."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def need(*modules):
    """These modules; without one of them the script ends here, which is no failure."""
    missing = [m for m in modules if not have(m)]
    if missing:
        print(f"skipped {NAME}: Python has no {', '.join(missing)}")
        sys.exit(0)
    return [have(m) for m in modules]


def path(*parts):
    return os.path.join(work, *parts)


def medgraft(*args):
    """Run the program; what it printed."""
    run = subprocess.run([BUILD + "/medgraft", *map(str, args)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, universal_newlines=True)
    if run.returncode:
        sys.exit(f"FAILED  {NAME}: medgraft {' '.join(map(str, args))}\n{run.stderr}")
    return run.stdout


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED  {NAME}: {what}")


def done(what):
    print(f"ok      {NAME}: {what}")
