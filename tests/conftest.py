"""Settings for all tests: no cached renderings of earlier runs, and the same random inputs in every run.

A failure with new random inputs must not block an unrelated change. To search with new seeds, run `make fuzz`, or the tests
with `HYPOTHESIS_PROFILE=search`.
"""

import os

from hypothesis import HealthCheck, settings

os.environ["SIDECARCTL_NO_CACHE"] = "1"
# A busy machine is no reason to fail.
slow = [HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, suppress_health_check=slow)
settings.register_profile("search", print_blob=True, suppress_health_check=slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
