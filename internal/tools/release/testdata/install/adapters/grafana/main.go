// A program that prints the alert rules and the dashboard.
package main

import (
	"fmt"

	"github.com/seed56799101/taskmanager/adapters/grafana" //nolint:depguard // This is a program of a user, not an internal package.
)

func main() {
	fmt.Print(grafana.Rules())
	fmt.Print(grafana.Dashboard())
}
