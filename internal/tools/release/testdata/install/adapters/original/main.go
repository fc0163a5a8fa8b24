// A program with a dependency that imports the original.
package main

import (
	"log"

	"example.com/dependency"
)

func main() {
	if err := dependency.Run(); err != nil {
		log.Fatal(err)
	}
}
