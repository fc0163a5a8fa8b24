package queuetest_test

import (
	"testing"

	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// TestShuffled checks the discipline of the example.
func TestShuffled(t *testing.T) { queuetest.Run(t, newShuffled[*queuetest.Item]) }
