"""For all tests: no renderings of earlier runs, and none left behind in the user's cache folder."""

import os

os.environ["SIDECARCTL_NO_CACHE"] = "1"
