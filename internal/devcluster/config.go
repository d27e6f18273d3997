package devcluster

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// newUUID is a random UUID as Kafka writes them: 22 characters of base64 for
// URLs, not beginning with a dash, which its tools would take for a flag.
func newUUID() string {
	for {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		if s := base64.RawURLEncoding.EncodeToString(b[:]); s[0] != '-' {
			return s
		}
	}
}

// writeConfig fills files/NAME.tmpl in and writes it to conf/PATH.
func (c *Cluster) writeConfig(name, path string, values map[string]any) error {
	text, err := fill(string(embedded(name+".tmpl")), values)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return writeFile(c.conf(path), []byte(text))
}

func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (c *Cluster) conf(path string) string { return filepath.Join(c.dir, "conf", path) }
func (c *Cluster) data(path string) string { return filepath.Join(c.dir, "data", path) }
func (c *Cluster) logOf(name string) string {
	return filepath.Join(c.dir, "logs", name+".log")
}

// Files in conf/ that several processes read.
const logConfig = "log4j2.xml"

// newProcess describes a process: a Java program with its flags.
func (c *Cluster) newProcess(name string, java []string) *process {
	args := append([]string{
		"-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
		"-Dlog4j2.configurationFile=" + c.conf(logConfig),
	}, java...)
	return &process{name: name, args: args, log: c.logOf(name), mark: c.mark(name)}
}

// mark is an argument that only this process has.
func (c *Cluster) mark(name string) string {
	return "-Dspeedlayer.devcluster=" + c.dir + "#" + name
}

// compiler is the flag that makes a JVM start quickly.
func compiler(quick bool) []string {
	if quick {
		return []string{"-XX:TieredStopAtLevel=1"}
	}
	return nil
}
