"""Runs the containers of a rendered manifest as a kubelet does, with real programs and without a cluster."""
