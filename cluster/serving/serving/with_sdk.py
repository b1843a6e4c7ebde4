"""Run a program that imports KServe's whole SDK on what an image has of it: `python3 -m serving.with_sdk MODULE …`."""

import runpy
import sys

from . import sdk

__all__ = ["sdk"]  # imported to be there: `import kserve` finds it done


def main() -> None:
    """Run the module as a program, with the arguments after its name."""
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
