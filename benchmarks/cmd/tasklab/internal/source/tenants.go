package source

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
)

// tenants is the value of a flag that lists the tenants of a synthetic load.
type tenants []tenant

type tenant struct {
	key     string
	share   float64
	weight  int           // 0: not given
	service time.Duration // 0: not given
}

// Set reads a list such as a:0.9,b:0.1:3:10ms. After an error the tenants are as
// before.
func (t *tenants) Set(list string) error {
	var read tenants
	for word := range strings.SplitSeq(list, ",") {
		one, err := readTenant(strings.TrimSpace(word))
		if err != nil {
			return fmt.Errorf("%q: %w", word, err)
		}
		if slices.ContainsFunc(read, func(o tenant) bool { return o.key == one.key }) {
			return fmt.Errorf("the tenant %q is there twice", one.key)
		}
		read = append(read, one)
	}
	*t = read
	return nil
}

func readTenant(word string) (t tenant, err error) {
	fields := strings.Split(word, ":")
	if len(fields) < 2 || len(fields) > 4 {
		return t, errors.New("write KEY:SHARE, KEY:SHARE:WEIGHT or KEY:SHARE:WEIGHT:SERVICE")
	}
	t.key = fields[0]
	if t.share, err = strconv.ParseFloat(fields[1], 64); err != nil || !(t.share > 0) || math.IsInf(t.share, 1) {
		return t, fmt.Errorf("the share is %q; it must be a positive number", fields[1])
	}
	if len(fields) > 2 {
		if t.weight, err = strconv.Atoi(fields[2]); err != nil || t.weight < 1 || t.weight > flagvalue.MostWeight {
			return t, fmt.Errorf("the weight is %q; it must be a whole number from 1 to %d", fields[2], flagvalue.MostWeight)
		}
	}
	if len(fields) > 3 {
		if t.service, err = time.ParseDuration(fields[3]); err != nil || t.service <= 0 {
			return t, fmt.Errorf("the service time is %q; it must be a positive duration, such as 10ms", fields[3])
		}
	}
	return t, nil
}

// String returns the list.
func (t *tenants) String() string {
	var words []string
	for _, one := range *t {
		word := fmt.Sprintf("%s:%v", one.key, one.share)
		if one.weight > 0 {
			word += fmt.Sprintf(":%d", one.weight)
		}
		if one.service > 0 {
			word += fmt.Sprintf(":%v", one.service)
		}
		words = append(words, word)
	}
	return strings.Join(words, ",")
}
