package cron_test

import (
	"testing"
	_ "time/tzdata" // the tests need zones wherever they run

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
