package devcluster

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// KafkaTool runs one of Kafka's own command-line tools, by its class, and returns
// what it writes. Jars that are missing are got first.
func KafkaTool(ctx context.Context, input, class string, args ...string) (string, error) {
	java, err := findJava(ctx)
	if err != nil {
		return "", err
	}
	jars, err := DefaultJars()
	if err != nil {
		return "", err
	}
	folder, err := loadJarSet("kafka-tools").get(ctx, Options{Jars: jars, Log: os.Stderr})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "*")
	if strings.HasPrefix(class, "kafka.") { // one of those that are still part of the broker
		broker, err := loadJarSet("kafka").get(ctx, Options{Jars: jars, Log: os.Stderr})
		if err != nil {
			return "", err
		}
		path += string(os.PathListSeparator) + filepath.Join(broker, "*")
	}
	// A heap and a compiler for programs that end soon.
	args = append([]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", path, class}, args...)
	cmd := exec.CommandContext(ctx, java, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
