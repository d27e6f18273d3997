package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"speedlayer/queue"
)

// kafkaFlags report how to reach the brokers of a cluster.
type kafkaFlags struct {
	brokers            []string
	tls                bool
	ca                 string
	sasl, user, secret string
}

// passwordEnv holds the password where no file does.
const passwordEnv = "SPEEDLAYER_SASL_PASSWORD"

func (k *kafkaFlags) add(flags *pflag.FlagSet, what string) {
	flags.StringSliceVar(&k.brokers, "kafka", nil, "brokers `HOST:PORT,...` "+what)
	flags.BoolVar(&k.tls, "tls", false, "encrypt the connections to --kafka")
	flags.StringVar(&k.ca, "tls-ca", "", "`FILE` in PEM with the certificates to trust, in place of the system's; implies --tls")
	flags.StringVar(&k.sasl, "sasl", "", "`MECHANISM` by which --kafka knows us: "+strings.Join(queue.Mechanisms, ", "))
	flags.StringVar(&k.user, "sasl-user", "", "`NAME` for --sasl")
	flags.StringVar(&k.secret, "sasl-password-file", "", "`FILE` with the password for --sasl; without it, the environment's "+passwordEnv)
}

// config checks the flags. Without brokers there must be none of the others.
func (k *kafkaFlags) config() (c queue.Config, err error) {
	if len(k.brokers) == 0 {
		for flag, set := range map[string]bool{"tls": k.tls, "tls-ca": k.ca != "", "sasl": k.sasl != "", "sasl-user": k.user != "", "sasl-password-file": k.secret != ""} {
			if set {
				return c, usagef("--%s is for --kafka, which is missing", flag)
			}
		}
		return c, nil
	}
	for _, b := range k.brokers {
		host, port, err := net.SplitHostPort(b)
		if n, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil || n == 0 || host == "" {
			return c, usagef("--kafka %q: allowed is HOST:PORT,HOST:PORT,..., as in kafka1:9092,kafka2:9092", b)
		}
	}
	c.Brokers = k.brokers
	if c.TLS, err = k.tlsConfig(); err != nil {
		return c, err
	}
	return c, k.setSASL(&c)
}

func (k *kafkaFlags) tlsConfig() (*tls.Config, error) {
	if !k.tls && k.ca == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.ca == "" {
		return config, nil
	}
	pem, err := os.ReadFile(k.ca)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, usagef("--tls-ca %s: allowed is a file with certificates in PEM", k.ca)
	}
	return config, nil
}

func (k *kafkaFlags) setSASL(c *queue.Config) error {
	if k.sasl == "" {
		if k.user != "" || k.secret != "" {
			return usagef("--sasl is missing: allowed are %s", strings.Join(queue.Mechanisms, ", "))
		}
		return nil
	}
	if k.user == "" {
		return usagef("--sasl-user is missing: --sasl %s needs a name", k.sasl)
	}
	password := os.Getenv(passwordEnv)
	if k.secret != "" {
		text, err := os.ReadFile(k.secret)
		if err != nil {
			return fmt.Errorf("--sasl-password-file: %w", err)
		}
		password = string(bytes.TrimRight(text, "\r\n"))
	}
	if password == "" {
		return usagef("no password for --sasl %s: name its file with --sasl-password-file, or set %s", k.sasl, passwordEnv)
	}
	var err error
	if c.SASL, err = queue.NewSASL(k.sasl, k.user, password); err != nil {
		return usagef("--sasl: %w", err)
	}
	return nil
}

// explainKafka adds to an error of the first contact which flag to change.
func explainKafka(err error) error {
	var hint string
	switch {
	case err == nil:
		return nil
	case errors.Is(err, queue.ErrTLS):
		hint = "--kafka: is the port one with TLS? Then --tls, and --tls-ca with the authority that signed the brokers' certificates; else without them"
	case errors.Is(err, queue.ErrCredentials):
		hint = "--sasl, --sasl-user, --sasl-password-file: one of them is not what the brokers want"
	case errors.Is(err, queue.ErrRights):
		hint = "--sasl-user: this user needs the rights that docs/operations.md lists"
	case errors.Is(err, queue.ErrTopic):
		hint = "change the topic, or --replication and --min-insync, or name another cluster with --kafka"
	case errors.Is(err, queue.ErrUnavailable):
		hint = "--kafka: is this where the brokers listen?"
	default:
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}
