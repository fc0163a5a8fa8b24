package nats

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncode(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "=",
		"thumbnails/42":    "thumbnails/42",
		"a.b":              "a=2Eb",
		"*":                "=2A",
		">":                "=3E",
		"=":                "=3D",
		"a b\r\n":          "a=20b=0D=0A",
		"\x00\xff":         "=00=FF",
		"ü":                "=C3=BC",
		"AZaz09-_/":        "AZaz09-_/",
		"$JS.API.STREAM.>": "=24JS=2EAPI=2ESTREAM=2E=3E",
	} {
		if diff := cmp.Diff(want, encode(text)); diff != "" {
			t.Errorf("encode(%q) (-want +got):\n%s", text, diff)
		}
	}
}

// keyPattern is what the server allows as a key of a bucket.
var keyPattern = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]+$`)

func checkToken(t interface{ Fatalf(string, ...any) }, text string) {
	token := encode(text)
	if !keyPattern.MatchString(token) || strings.Contains(token, ".") {
		t.Fatalf("encode(%q) = %q, which is not one token", text, token)
	}
	back, err := decode(token)
	if err != nil || back != text {
		t.Fatalf("decode(encode(%q)) = %q, %v", text, back, err)
	}
}

func TestEncodeMakesOneTokenThatDecodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkToken(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")))
	})
}

func TestDifferentTextsHaveDifferentTokens(t *testing.T) {
	few := rapid.StringOfN(rapid.RuneFrom([]rune("a=2E.")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := few.Draw(t, "a"), few.Draw(t, "b")
		if (encode(a) == encode(b)) != (a == b) {
			t.Fatalf("%q and %q have the tokens %q and %q", a, b, encode(a), encode(b))
		}
	})
}

func TestDecodeRefusesWhatEncodeDoesNotMake(t *testing.T) {
	for _, token := range []string{"", "a.b", "=2", "=2e", "=41", "==", "a=", "=GG", "a b", "ü", "=3D=", "*", ">", "a\n", "=2F"} {
		if text, err := decode(token); err == nil {
			t.Errorf("decode(%q) = %q without an error", token, text)
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("a.b*>")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) { checkToken(t, text) })
}

func FuzzDecode(f *testing.F) {
	for _, token := range []string{"=", "a=2Eb", "=41", "=2"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		text, err := decode(token)
		if err == nil && encode(text) != token {
			t.Fatalf("decode(%q) = %q, which has the token %q", token, text, encode(text))
		}
	})
}
