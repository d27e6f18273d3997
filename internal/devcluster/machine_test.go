package devcluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const mark = "-Dspeedlayer.devcluster="

// TestMain: started with a process's mark, this binary is that process; with
// parentMode it is a program that starts one and then waits to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], mark) {
		fmt.Println("here I am")
		select {}
	}
	if dir := os.Getenv(parentMode); dir != "" {
		p := &process{name: "x", log: filepath.Join(dir, "x.log"), mark: mark + dir + "#x"}
		self, err := os.Executable()
		if err == nil {
			err = p.start(self, false, NewSpawner())
		}
		fmt.Println(p.pid, err)
		select {}
	}
	os.Exit(m.Run())
}

const parentMode = "SPEEDLAYER_DEVCLUSTER_TEST_PARENT"

func (f *fake) fakeProcess(name string) *process {
	return &process{name: name, log: filepath.Join(f.dir, name+".log"), mark: mark + f.dir + "#" + name}
}

type fake struct{ dir, self string }

func newFake(t *testing.T) *fake {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &fake{dir: t.TempDir(), self: self}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestProcess(t *testing.T) {
	f := newFake(t)
	spawner := NewSpawner()
	defer spawner.Close()
	p := f.fakeProcess("a server")
	if p.running() {
		t.Error("it runs before it was started")
	}
	if err := p.start(f.self, false, spawner); err != nil {
		t.Fatal(err)
	}
	err := until(within(t), endPoll, func() error {
		if text, _ := os.ReadFile(p.log); !strings.Contains(string(text), "here I am") {
			return fmt.Errorf("the log has %q", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := running(f.dir); err != nil || left["a server"] != p.pid {
		t.Errorf("running: %v, %v", left, err)
	}
	if other := (&process{name: "b", pid: p.pid, mark: mark + f.dir + "#b"}); other.running() {
		t.Error("a process is taken for another that had its id")
	}
	if err := p.stop(within(t), stopTimeout); err != nil || p.running() {
		t.Errorf("stop: %v, running %v", err, p.running())
	}
	if err := p.kill(); err != nil {
		t.Errorf("killing what has ended: %v", err)
	}
}

// Down ends what no state file names.
func TestDownFindsWhatIsLeft(t *testing.T) {
	f := newFake(t)
	spawner := NewSpawner()
	defer spawner.Close()
	p := f.fakeProcess("kafka-1")
	if err := p.start(f.self, true, spawner); err != nil {
		t.Fatal(err)
	}
	names, err := Down(within(t), Options{Dir: f.dir, Kafka: true, HBase: true})
	if err != nil || len(names) != 1 || names[0] != "kafka-1" || p.running() {
		t.Errorf("down: %v, %v, running %v", names, err, p.running())
	}
}

// What a test has started dies with it, however that ends.
func TestDiesWithItsParent(t *testing.T) {
	f := newFake(t)
	cmd := exec.Command(f.self)
	cmd.Env = append(os.Environ(), parentMode+"="+f.dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasSuffix(line, "<nil>\n") {
		t.Fatalf("the parent said %q, %v", line, err)
	}
	if left, err := running(f.dir); err != nil || len(left) != 1 {
		t.Fatalf("running: %v, %v", left, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its error is that it was killed
	err = until(within(t), endPoll, func() error {
		if left, err := running(f.dir); err != nil || len(left) > 0 {
			return fmt.Errorf("left: %v, %v", left, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	p := make(ports)
	if err := p.want("kafka-1", taken, "--kafka-port"); err == nil || !strings.Contains(err.Error(), "--kafka-port") {
		t.Errorf("a taken port: %v", err)
	}
	for _, name := range []string{"a", "b", "a"} {
		before := p[name]
		if err := p.want(name, 0, ""); err != nil || p[name] == 0 || before != 0 && p[name] != before {
			t.Errorf("%s: %v, %d, before %d", name, err, p[name], before)
		}
	}
	if p["a"] == p["b"] {
		t.Error("one port twice")
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		says string
	}{
		{Options{Kafka: true}, "no folder"},
		{Options{Dir: "d"}, "nothing to start"},
		{Options{Dir: "d", Kafka: true, Brokers: 2}, "2 brokers: allowed are 1 and 3"},
		{Options{Dir: "d", HBase: true, RegionServers: 10}, "10 region servers: allowed are 1 to 9"},
		{Options{Dir: "d", HBase: true, Session: time.Second}, "a session of 1s: allowed are 4s to 40s"},
		{Options{Dir: "d", HBase: true, SASL: true}, "SASL is a listener of Kafka"},
		{Options{Dir: "d", Kafka: true, Authorize: true}, "authorization is HBase's"},
		{Options{Dir: "d", Kafka: true, HDFS: true}, "HDFS is for HBase"},
		{Options{Dir: "d", Kafka: true, KafkaPort: -1}, "port -1: allowed are"},
	} {
		if err := c.o.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.says)
		}
	}
	if err := (Options{Dir: "d", Kafka: true, HBase: true, HDFS: true, SASL: true, Brokers: 3}).Check(); err != nil {
		t.Error(err)
	}
}

// A folder's data is of the cluster that it was made by.
func TestFolderIsOfOneCluster(t *testing.T) {
	o := Options{Dir: t.TempDir(), Kafka: true, HBase: true, Brokers: 3, RegionServers: 1}
	s, err := stateFor(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(o.Dir); err != nil {
		t.Fatal(err)
	}
	again, err := stateFor(o, nil)
	if err != nil || again.ClusterID != s.ClusterID || len(again.Directories) != 3 || again.Directories[2] != s.Directories[2] {
		t.Errorf("again: %+v, %v; before %+v", again, err, s)
	}
	o.Brokers = 1
	if _, err := stateFor(o, nil); err == nil || !strings.Contains(err.Error(), "made with 3 brokers") {
		t.Errorf("one broker: %v", err)
	}
	o.Brokers, o.HDFS = 3, true
	if _, err := stateFor(o, nil); err == nil || !strings.Contains(err.Error(), "HDFS false") {
		t.Errorf("HDFS: %v", err)
	}
}

// script writes an executable to a folder that becomes the whole PATH.
func script(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestMissing(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("JAVA_HOME", "")
	o := Options{Dir: t.TempDir(), Jars: t.TempDir(), Kafka: true}
	expect := func(says ...string) {
		t.Helper()
		err := Missing(t.Context(), o)
		var missing *MissingError
		if !errors.As(err, &missing) {
			t.Fatalf("%v", err)
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q does not say %q", err, s)
			}
		}
	}
	expect("Java 17 or later is missing", "apt-get install")
	script(t, bin, "java", `echo 'openjdk version "11.0.2" 2019-01-15' >&2`)
	expect("Java 17 or later", "is 11")
	script(t, bin, "java", `echo 'openjdk version "21.0.2" 2024-01-15' >&2`)
	expect("Maven", "apt-get install")
	script(t, bin, "mvn", "")
	if err := Missing(t.Context(), o); err != nil {
		t.Error(err)
	}
}

// Jars are what the sums say, or they are refused: as they come, and later.
func TestJars(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	o := Options{Jars: t.TempDir(), Log: new(bytes.Buffer)}
	script(t, bin, "mvn", `for a; do case $a in -DoutputDirectory=*) mkdir "${a#*=}" && printf good >"${a#*=}/a.jar";; esac; done`)
	sum := func(text string) string { return fmt.Sprintf("%x  a.jar\n", sha256.Sum256([]byte(text))) }

	s := jarSet{name: "x", pom: []byte("<project/>"), sums: []byte(sum("good"))}
	folder, err := s.get(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	bad := jarSet{name: "x", pom: s.pom, sums: []byte(sum("other"))}
	if _, err := bad.get(within(t), o); err == nil || !strings.Contains(err.Error(), "a.jar has SHA-256") {
		t.Errorf("a jar with another sum: %v", err)
	}
	if _, err := os.Stat(bad.folder(o.Jars)); err == nil {
		t.Error("it is there all the same")
	}
	more := jarSet{name: "x", pom: s.pom, sums: []byte(sum("good") + strings.Replace(sum("b"), "a.jar", "b.jar", 1))}
	if _, err := more.get(within(t), o); err == nil || !strings.Contains(err.Error(), "b.jar: missing") {
		t.Errorf("a jar that is not there: %v", err)
	}
	script(t, bin, "mvn", "echo no such host; exit 1")
	if _, err := s.get(within(t), o); err != nil {
		t.Errorf("the second time it needs no Maven: %v", err)
	}
	other := jarSet{name: "y", pom: s.pom, sums: s.sums}
	if _, err := other.get(within(t), o); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("Maven fails: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "evil.jar"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.get(within(t), o); err == nil || !strings.Contains(err.Error(), "evil.jar is not on the list") {
		t.Errorf("one jar more: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(o.Jars, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
