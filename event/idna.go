package event

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// toASCII is UTS 46 with the flags of the standard's non-strict "domain to
// ASCII": any ASCII that is not a forbidden code point is taken, _ and ! too, and
// hyphens stand where they like.
var toASCII = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.CheckJoiners(true),
	idna.CheckHyphens(false),
	idna.StrictDomainName(false),
	idna.VerifyDNSLength(false),
	idna.Transitional(false),
)

// mappings come before: those of UTS 46 since its version 15.1 for letters that
// an older Unicode maps otherwise (a capital sharp s is a sharp s, not ss; the
// Mongolian vowel separator is ignored), and all dots.
var mappings = strings.NewReplacer("\u1e9e", "\u00df", "\u180e", "", "\u3002", ".", "\uff0e", ".", "\uff61", ".")

// domainToASCII is for hosts that are not ASCII already; host is unescaped. why
// is empty if the host is good.
func domainToASCII(host string) (ascii, why string) {
	host = mappings.Replace(host)
	// A label xn-- with nothing after it, or with what is not ASCII, is an
	// error, which the library does not see. The letter before it has the library
	// map the label and leave it there.
	for label := range strings.SplitSeq(host, ".") {
		mapped, _ := toASCII.ToUnicode("a" + label)
		if code, ok := strings.CutPrefix(mapped, "axn--"); ok && (code == "" || strings.IndexFunc(code, notASCII) >= 0) {
			return "", "its host has the label " + strconv.Quote(mapped[1:])
		}
	}
	ascii, err := toASCII.ToASCII(host)
	if err != nil {
		return "", "its host is not an international name: " + err.Error()
	}
	return ascii, ""
}

func notASCII(r rune) bool { return r >= utf8.RuneSelf }
