package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"speedlayer/node"
)

const deployDir = "../../deploy"

// notChecked says loudly that a tool which would have looked at a file is not
// here. It is not a failure: the rest of the test has looked too.
func notChecked(t *testing.T, what string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "\n*** %s: NOT CHECKED by %s, which is not here ***\n\n", t.Name(), what)
}

// serveSetting fails the test unless a variable sets a flag of serve, to a value
// that it takes.
func serveSetting(t *testing.T, name, value string) {
	t.Helper()
	flag := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "SPEEDLAYER_")), "_", "-")
	serve := newServe(streams{})
	if serve.Flags().Lookup(flag) == nil {
		t.Errorf("%s: serve has no flag --%s", name, flag)
	} else if err := serve.Flags().Set(flag, value); err != nil {
		t.Errorf("%s=%s: %v", name, value, err)
	}
}

// What the settings file says, commented out or not, serve takes.
func TestDeploySettings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deployDir, "speedlayer.env"))
	if err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`(?m)^#?(SPEEDLAYER_\w+)=(.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(set) < 8 {
		t.Errorf("only %d settings found", len(set))
	}
	for _, s := range set {
		serveSetting(t, s[1], s[2])
	}
}

func TestDeployCompose(t *testing.T) {
	file := filepath.Join(deployDir, "compose.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for _, role := range strings.Split(node.AllRoles.String(), ",") {
		if got := strings.Join(c.Services[role].Command, " "); got != "serve --roles "+role {
			t.Errorf("service %s runs %q", role, got)
		}
		for name, value := range c.Services[role].Environment {
			serveSetting(t, name, regexp.MustCompile(`\$\{\w+:[-?](.*)\}`).ReplaceAllString(value, "$1"))
		}
	}
	if exec.Command("docker", "compose", "version").Run() != nil {
		notChecked(t, "docker compose config")
		return
	}
	config := exec.Command("docker", "compose", "-f", file, "config", "-q")
	config.Env = append(os.Environ(), "SPEEDLAYER_KAFKA=kafka1:9092", "SPEEDLAYER_STORE=hbase://zk1:2181/hbase")
	if out, err := config.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v: %s", err, out)
	}
}

// The units are as systemd wants them; what they start is replaced by what is
// there on every machine.
func TestDeployUnits(t *testing.T) {
	dir := t.TempDir()
	var units []string
	for from, to := range map[string]string{"speedlayer@.service": "speedlayer@processor.service", "speedlayer.target": "speedlayer.target"} {
		text, err := os.ReadFile(filepath.Join(deployDir, "systemd", from))
		if err != nil {
			t.Fatal(err)
		}
		const program = "/usr/local/bin/speedlayer"
		if strings.HasSuffix(from, ".service") && !bytes.Contains(text, []byte(program+" serve --roles %i")) {
			t.Errorf("%s does not start %s with its role", from, program)
		}
		units = append(units, filepath.Join(dir, to))
		if err := os.WriteFile(units[len(units)-1], bytes.ReplaceAll(text, []byte(program), []byte("/bin/true")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		notChecked(t, "systemd-analyze verify")
		return
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte(dir)) {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
}
