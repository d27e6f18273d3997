package devcluster

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// User and Password are those of the listener with SASL, the same for PLAIN,
// SCRAM-SHA-256 and SCRAM-SHA-512. Guest, by PLAIN with the same password, may do
// nothing until ACLs say so.
const (
	User     = "speedlayer"
	Guest    = "guest"
	Password = "not-a-secret"
)

// Files in conf/: what the brokers prove themselves with, and what a client
// checks them against.
const (
	keyStore  = "kafka/broker.pem"
	authority = "kafka/ca.pem"
)

// certificateValidity is how long certificates hold: longer than any folder of a
// development cluster lives.
const certificateValidity = 10 * 365 * 24 * time.Hour

// certificates makes an authority and the brokers' certificate, once a folder.
// They are for 127.0.0.1 and localhost.
func (c *Cluster) certificates() error {
	if _, err := os.Stat(c.conf(keyStore)); err == nil {
		return nil
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "speedlayer dev-cluster authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateValidity),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	broker := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	brokerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	brokerDER, err := x509.CreateCertificate(rand.Reader, broker, ca, &brokerKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(brokerKey)
	if err != nil {
		return err
	}
	if err := writeFile(c.conf(authority), pemOf("CERTIFICATE", caDER)); err != nil {
		return err
	}
	return writeFile(c.conf(keyStore), bytes.Join([][]byte{
		pemOf("PRIVATE KEY", key), pemOf("CERTIFICATE", brokerDER), pemOf("CERTIFICATE", caDER)}, nil))
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// scramIterations is the least that Kafka takes: what is protected is nothing.
const scramIterations = 4096

// users makes the user known for SCRAM; for PLAIN it stands in the brokers'
// configuration.
func (c *Cluster) users(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...))
	if err != nil {
		return err
	}
	defer client.Close()
	// A request may name a user once.
	for _, m := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		set := []kadm.UpsertSCRAM{{User: User, Mechanism: m, Iterations: scramIterations, Password: Password}}
		altered, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, set)
		if err == nil {
			err = altered.Error()
		}
		if err != nil {
			return fmt.Errorf("kafka: user %s, %v: %w", User, m, err)
		}
	}
	return nil
}

// SASLBrokers are the addresses that take TLS with PLAIN, SCRAM-SHA-256 or
// SCRAM-SHA-512, with User and Password, and prove themselves by Authority.
func (c *Cluster) SASLBrokers() []string { return c.addresses(c.state.SASL, kafkaSASLName) }

// Authority is the file, in PEM, with the certificate by which SASLBrokers prove
// themselves.
func (c *Cluster) Authority() string { return c.conf(authority) }
