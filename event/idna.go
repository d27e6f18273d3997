package event

import (
	"strings"

	"golang.org/x/net/idna"
)

// toASCII is UTS 46 with the flags of the standard's non-strict "domain to
// ASCII": any ASCII that is no forbidden code point is taken, _ and ! too, and
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
	ascii, err := toASCII.ToASCII(host)
	if err != nil {
		return "", "its host is no international name: " + err.Error()
	}
	// A last label xn-- has nothing to decode, which is an error. The library
	// makes it empty, as if the host ended in a dot.
	if last := host[strings.LastIndexByte(host, '.')+1:]; last != "" && strings.HasSuffix(ascii, ".") {
		if rest, err := toASCII.ToASCII("a" + last); err != nil || rest != "a" {
			return "", "its host ends in xn-- with nothing behind it"
		}
	}
	return ascii, ""
}
