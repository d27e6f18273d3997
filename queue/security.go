package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// What stands between a client and a cluster, by what must be set otherwise.
var (
	// ErrAddress: no broker was reached.
	ErrAddress = fmt.Errorf("%w: no address leads to one", ErrUnavailable)
	// ErrTLS: the connection is not encrypted as the brokers want it, or whom it
	// reaches cannot be trusted.
	ErrTLS = errors.New("queue: no encrypted connection")
	// ErrCredentials: the brokers do not know the user, or the password is wrong,
	// or they want one.
	ErrCredentials = errors.New("queue: not let in")
	// ErrRights: the user may not do what must be done.
	ErrRights = errors.New("queue: not allowed to")
)

// Mechanisms are the names of the ways to prove who one is (SASL).
var Mechanisms = []string{"plain", "scram-sha-256", "scram-sha-512"}

// NewSASL returns a mechanism by its name.
func NewSASL(mechanism, user, password string) (sasl.Mechanism, error) {
	switch mechanism {
	case "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("mechanism %q: allowed are %s", mechanism, strings.Join(Mechanisms, ", "))
}

// classify reports in which of the ways above a first request failed. A broker that
// hangs up, or says nothing, leaves to guess what it did not like.
func (c *Config) classify(err error) error {
	if err == nil {
		return nil
	}
	var (
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		host   x509.HostnameError
		eof    *kgo.ErrFirstReadEOF
		dial   *net.OpError
		lookup *net.DNSError
	)
	switch {
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &host),
		strings.Contains(err.Error(), "tls alert record"): // the client has no other name for it
		return fmt.Errorf("%w: %w", ErrTLS, err)
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		return fmt.Errorf("%w: %w", ErrCredentials, err)
	case errors.As(err, &eof):
		if strings.Contains(err.Error(), "SASL") {
			return fmt.Errorf("%w: %w", ErrCredentials, err)
		}
		return fmt.Errorf("%w: %w", ErrTLS, err)
	case c.SASL != nil && errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the broker hung up: %w", ErrCredentials, err)
	case c.TLS != nil && errors.As(err, &dial) && dial.Timeout():
		return fmt.Errorf("%w: the broker does not answer: %w", ErrTLS, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("%w: %w", ErrRights, err)
	case errors.As(err, &lookup), errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
