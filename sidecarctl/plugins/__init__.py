"""Other programs' contracts: kustomize and kpt, Helm, and the engines that run in a cluster."""
