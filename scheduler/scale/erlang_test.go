package scale_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// exactErlangC computes the textbook formula,
//
//	(aᶜ/c!)·c/(c−a) / (Σ_{k<c} aᵏ/k! + (aᶜ/c!)·c/(c−a)),
//
// in rational numbers, so it rounds only at the end.
func exactErlangC(c int64, a *big.Rat) float64 {
	term, sum := big.NewRat(1, 1), new(big.Rat) // aᵏ/k!, from k=0
	for k := range c {
		sum.Add(sum, term)
		term.Mul(term, a)
		term.Quo(term, big.NewRat(k+1, 1))
	}
	servers := big.NewRat(c, 1)
	term.Mul(term, servers)
	term.Quo(term, new(big.Rat).Sub(servers, a))
	p, _ := new(big.Rat).Quo(term, sum.Add(sum, term)).Float64()
	return p
}

func TestErlangCEqualsTheFormula(t *testing.T) {
	for _, c := range []int64{1, 2, 4, 8, 16, 100} {
		for _, percent := range []int64{0, 1, 50, 80, 90, 99} { // utilisation
			a := big.NewRat(c*percent, 100)
			load, _ := a.Float64()
			if got, want := scale.ErlangC(int(c), load), exactErlangC(c, a); math.Abs(got-want) > 1e-9 {
				t.Errorf("ErlangC(%d, %v) is %v, want %v", c, load, got, want)
			}
		}
	}
}

// TestErlangCEqualsTheTables compares with published tables, at utilisations of 50, 80
// and 90%.
func TestErlangCEqualsTheTables(t *testing.T) {
	for c, want := range map[int][3]float64{
		1:  {0.5, 0.8, 0.9},
		4:  {0.1739, 0.5964, 0.7878},
		8:  {0.0590, 0.4576, 0.7015},
		16: {0.0090, 0.3049, 0.5913},
	} {
		for i, utilisation := range []float64{0.5, 0.8, 0.9} {
			if got := scale.ErlangC(c, utilisation*float64(c)); math.Abs(got-want[i]) > 5e-5 {
				t.Errorf("ErlangC(%d, %v) is %.6f, want %.4f", c, utilisation*float64(c), got, want[i])
			}
		}
	}
}

// TestErlangCDoesNotOverflow asks for numbers of servers at which the powers and
// factorials of the formula overflow.
func TestErlangCDoesNotOverflow(t *testing.T) {
	for _, c := range []int{1, 10_000, 1_000_000} {
		for _, a := range []float64{0, 1e-300, 0.5, 9_000, 9_999.999, 999_999.999} {
			if a >= float64(c) {
				continue
			}
			if p := scale.ErlangC(c, a); !(p >= 0 && p <= 1) {
				t.Errorf("ErlangC(%d, %v) is %v, want a probability", c, a, p)
			}
		}
	}
	// At 10,000 servers, the normal approximation of Halfin and Whitt (Heavy-Traffic
	// Limits for Queues with Many Exponential Servers, 1981) is accurate to about 1%:
	// with a = c − β√c the probability tends to 1/(1 + β·Φ(β)/φ(β)).
	const c, beta = 10_000, 1.0
	phi := math.Exp(-beta*beta/2) / math.Sqrt(2*math.Pi)
	want := 1 / (1 + beta*(1+math.Erf(beta/math.Sqrt2))/2/phi)
	if got := scale.ErlangC(c, c-beta*math.Sqrt(c)); math.Abs(got/want-1) > 0.02 {
		t.Errorf("ErlangC(%d, %v) is %v, want about %v", c, c-beta*math.Sqrt(c), got, want)
	}
}
