"""A composition as what another engine carries out: policies of engines in the cluster, patches for kustomize."""
