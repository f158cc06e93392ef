// Command kube-apiserver is the API server of Kubernetes, built from Go modules.
package main

import (
	"os"

	_ "time/tzdata" // the time zones that releases embed

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
