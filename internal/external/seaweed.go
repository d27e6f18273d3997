package external

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// freePorts finds n ports that nobody listens on, each with the one 10000 above
// it, which the server takes for itself. All lie below those that outgoing
// connections get (32768 and up on Linux), of which other tests make many.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(10000)
		ok := true
		for _, p := range []int{port, port + 10000} {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
			if err != nil {
				ok = false
				break
			}
			defer func() { _ = l.Close() }()
		}
		if !ok {
			continue
		}
		if ports = append(ports, strconv.Itoa(port)); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no free ports")
	return nil
}

// Seaweed runs a real server that speaks S3, and returns the url of a
// bucket. A port may be taken before the server has it: then it is tried again.
func Seaweed(t *testing.T) string {
	t.Helper()
	bin := Python(t)
	var err error
	for range 3 {
		var endpoint string
		if endpoint, err = trySeaweed(t, bin); err != nil {
			continue
		}
		for key, value := range map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey} {
			t.Setenv(key, value)
		}
		return fmt.Sprintf("s3://archive/some/folder?region=us-east-1&endpoint=%s&s3ForcePathStyle=true", endpoint)
	}
	t.Fatal(err)
	return ""
}

// The keys of the one user whom the server knows; it checks every signature.
const (
	accessKey = "tester"
	secretKey = "secret of the tester"
)

// identities is the server's file of users.
const identities = `{"identities": [{"name": "tester", "credentials": [{"accessKey": "` + accessKey + `", "secretKey": "` + secretKey + `"}],
	"actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}`

// trySeaweed returns where the server listens, when it has a bucket "archive".
func trySeaweed(t *testing.T, bin string) (endpoint string, err error) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users.json")
	if err := os.WriteFile(users, []byte(identities), 0o600); err != nil {
		return "", err
	}
	p := freePorts(t, 4)
	// It waits for nothing: not for a term of the log, and not for more volumes.
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "weed"), "server", "-dir="+dir, "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
		"-master.port="+p[0], "-volume.port="+p[1], "-filer", "-filer.port="+p[2], "-s3", "-s3.port="+p[3], "-s3.config="+users, "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100", "-master.volumeSizeLimitMB=64", "-master.telemetry=false")
	cmd.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		stop()
		return "", err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		stop()
		return "", errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the server said:\n%s", text)
		}
	})
	endpoint = "http://127.0.0.1:" + p[3]
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := makeBucket(deadline, "127.0.0.1:"+p[3], "archive")
		if err == nil || deadline.Err() != nil {
			return endpoint, err
		}
		select {
		case <-ended:
			return "", fmt.Errorf("the server has ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func makeBucket(ctx context.Context, host, name string) error {
	c, err := minio.New(host, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1", MaxRetries: 1})
	if err != nil {
		return err
	}
	return c.MakeBucket(ctx, name, minio.MakeBucketOptions{})
}
