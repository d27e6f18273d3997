package devcluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are looked for below the range from which Linux gives ports to
// outgoing connections (32768 on), so that none of these takes one between the
// look and the server's start.
const firstFree, lastFree = 20000, 32000

// ports gives ports to names: those that a name had before, those that were
// asked for, else free ones.
type ports map[string]int

// want gives the name a port: the one asked for, or, when that is 0, the one that
// it had, or a free one. flag names the setting, for the error.
func (p ports) want(name string, asked int, flag string) error {
	switch {
	case asked != 0:
		if !free(asked) {
			return fmt.Errorf("port %d, for %s, is taken: choose another with %s, or 0 for a free one", asked, name, flag)
		}
		p[name] = asked
	case p[name] != 0:
		if !free(p[name]) {
			return fmt.Errorf("port %d, which %s had before, is taken: end what listens there, or begin with a fresh folder", p[name], name)
		}
	default:
		port, err := p.findFree()
		if err != nil {
			return err
		}
		p[name] = port
	}
	return nil
}

func (p ports) findFree() (int, error) {
	for range 1000 {
		port := firstFree + rand.IntN(lastFree-firstFree)
		if !p.given(port) && free(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port found")
}

// FreePort is a port of the loopback on which nothing listens, below those that
// outgoing connections get: so a server can have it again after it was killed.
func FreePort() (int, error) { return make(ports).findFree() }

func (p ports) given(port int) bool {
	for _, other := range p {
		if other == port {
			return true
		}
	}
	return false
}

func (p ports) address(name string) string { return loopback(p[name]) }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	return err == nil && l.Close() == nil
}
