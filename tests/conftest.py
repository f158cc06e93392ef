"""For all tests: no renderings of earlier runs, and the same random inputs in every run.

What random search finds on a Tuesday must not stop an unrelated change: `make fuzz` searches with fresh seeds.
`HYPOTHESIS_PROFILE=search` does it for the tests' own properties.
"""

import os

from hypothesis import settings

os.environ["SIDECARCTL_NO_CACHE"] = "1"
settings.register_profile("same", derandomize=True)
settings.register_profile("search", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
