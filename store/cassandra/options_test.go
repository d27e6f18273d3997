package cassandra

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func TestParseURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := ParseURL("cassandra://c1:9043,c2,[::1]:9044/web_1?user=joe&password-file=" + file + "&tls=true&dc=eu&consistency=QUORUM&replication=2&buckets=64")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(o.Hosts, " "); got != "c1:9043 c2:9042 [::1]:9044" {
		t.Errorf("hosts %s", got)
	}
	if o.Keyspace != "web_1" || o.User != "joe" || o.Password != "secret words" || o.TLS == nil || o.DC != "eu" || o.Consistency != gocql.Quorum || o.Replication != 2 || o.Buckets != 64 {
		t.Errorf("%+v", o)
	}
	if o.serial() != gocql.Serial {
		t.Errorf("with QUORUM, transactions are %v", o.serial())
	}
	if text := o.url(); strings.Contains(text, "secret") {
		t.Errorf("%s shows the password", text)
	}
	t.Setenv(PasswordEnv, "from the environment")
	o, err = ParseURL("cassandra://c1/web?user=joe")
	if err != nil || o.Password != "from the environment" || o.TLS != nil || o.Consistency != gocql.LocalQuorum || o.serial() != gocql.LocalSerial {
		t.Errorf("defaults are %+v, %v", o, err)
	}
}

// Errors name what is wrong and what is allowed, and show no password.
func TestParseURLRejects(t *testing.T) {
	t.Setenv(PasswordEnv, "")
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("words"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"c1:9042/web":                                          "does not begin with cassandra://",
		"cassandra://":                                         "HOST:PORT",
		"cassandra:///web":                                     "HOST:PORT",
		"cassandra://c1":                                       "the keyspace is missing",
		"cassandra://c1:0/web":                                 "from 1 to 65535",
		"cassandra://c1:99999/web":                             "from 1 to 65535",
		"cassandra://c1,/web":                                  "HOST:PORT",
		"cassandra://c1/Web":                                   "lower-case",
		"cassandra://c1/a-b":                                   "lower-case",
		"cassandra://c1/1a":                                    "lower-case",
		"cassandra://c1/web/x":                                 "lower-case",
		"cassandra://c1/" + strings.Repeat("a", 49):            "up to 47",
		"cassandra://c1/web?dc=a&dc=b":                         "dc is there 2 times",
		"cassandra://c1/web?table=a":                           "allowed are user, password-file",
		"cassandra://c1/web?consistency=one":                   "allowed are local_quorum",
		"cassandra://c1/web?replication=0":                     "a number from 1",
		"cassandra://c1/web?replication=10":                    "allowed are 1 to 9",
		"cassandra://c1/web?buckets=x":                         "a number from 1",
		"cassandra://c1/web?buckets=1000":                      "allowed are 1 to 256",
		"cassandra://c1/web?user=joe":                          "name its file with password-file, or set " + PasswordEnv,
		"cassandra://c1/web?password-file=x":                   "without user",
		"cassandra://c1/web?user=joe&password-file=/nowhere/x": "password-file: open /nowhere/x",
		"cassandra://c1/web?tls=perhaps":                       "allowed are true and false",
		"cassandra://c1/web?tls=false&tls-ca=x":                "together with tls=false",
		"cassandra://c1/web?tls-ca=/nowhere/x":                 "tls-ca: open /nowhere/x",
		"cassandra://c1/web?tls-ca=" + notPEM:                  "certificates in PEM",
		"cassandra://c1/web?%zz":                               "invalid URL escape",
	} {
		if _, err := ParseURL(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the form is cassandra://") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"cassandra://joe:hush@c1/web":               "allowed are user=NAME and password-file=FILE",
		"cassandra://c1/web?user=joe&password=hush": "name a file with password-file",
	} {
		if _, err := ParseURL(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q and no password", text, err, want)
		}
	}
}
