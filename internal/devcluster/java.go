package devcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// minJava is the oldest Java that Kafka 4 runs on; HBase 2.6 is tested by its
// makers on 17 too.
const minJava = 17

// MissingError is a program that must be there and is not.
type MissingError struct {
	What    string // that is missing
	Install string // how to get it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is missing: %s", e.What, e.Install)
}

// Missing returns a *MissingError when this machine lacks what a cluster needs:
// Java, and Maven unless the jars are in the folder already.
func Missing(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if _, err := findJava(ctx); err != nil {
		return err
	}
	for _, s := range o.jarSets() {
		if _, err := os.Stat(s.folder(o.Jars)); err != nil {
			_, err := findMaven()
			return err
		}
	}
	return nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns the path of a Java that is new enough: the one of JAVA_HOME,
// else the one in PATH.
func findJava(ctx context.Context) (string, error) {
	missing := func(found string) error {
		return &MissingError{What: fmt.Sprintf("Java %d or later%s", minJava, found),
			Install: "install it, as with: apt-get install -y openjdk-17-jre-headless; JAVA_HOME and PATH are searched"}
	}
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(java)
	if err != nil {
		return "", missing("")
	}
	out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s", path, err, out)
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return "", missing(fmt.Sprintf(" (%s says %q)", path, out))
	}
	if v, err := strconv.Atoi(string(m[1])); err != nil || v < minJava {
		return "", missing(fmt.Sprintf(" (%s is %s)", path, m[1]))
	}
	return path, nil
}

func findMaven() (string, error) {
	path, err := exec.LookPath("mvn")
	if err != nil {
		return "", &MissingError{What: "Maven (mvn), which gets the servers' jars,",
			Install: "install it, as with: apt-get install -y maven; or name a folder that has the jars already"}
	}
	return path, nil
}
