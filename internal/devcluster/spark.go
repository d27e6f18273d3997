package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Names of Spark's processes, and how many workers there are: two hosts, for Spark
// runs no speculative copy of a task on the task's own host.
const (
	sparkPrefix  = "spark-"
	SparkMaster  = sparkPrefix + "master"
	SparkWorkers = 2
	sparkUI      = SparkMaster + " ui"
)

// Heap of the master and of each worker, in MiB. Executors have theirs beside it.
const sparkHeap = 256

// SparkWorker is the name of the ith worker, from 1. Its host is 127.0.0.i.
func SparkWorker(i int) string { return fmt.Sprintf("%sworker-%d", sparkPrefix, i) }

func sparkHost(i int) string { return fmt.Sprintf("127.0.0.%d", i) }

func (c *Cluster) sparkPorts(o Options) error {
	err := c.wantPort(SparkMaster, o.SparkPort, "--spark-port")
	names := []string{sparkUI}
	for i := range SparkWorkers {
		names = append(names, SparkWorker(i+1), SparkWorker(i+1)+" ui")
	}
	for _, name := range names {
		if err == nil {
			err = c.wantPort(name, 0, "")
		}
	}
	return err
}

// configureSpark gives out ports, makes SPARK_HOME and describes the processes.
func (c *Cluster) configureSpark(o Options) error {
	if err := c.sparkPorts(o); err != nil {
		return err
	}
	if err := c.sparkConfigs(); err != nil {
		return err
	}
	c.add(c.sparkMasterProcess())
	for i := range SparkWorkers {
		c.add(c.sparkWorkerProcess(i + 1))
	}
	return nil
}

// sparkConfigs makes SPARK_HOME: a folder with jars/ and conf/, in which workers
// and executors look.
func (c *Cluster) sparkConfigs() error {
	home := c.SparkHome()
	if err := os.MkdirAll(filepath.Join(home, "conf"), 0o755); err != nil {
		return err
	}
	link := filepath.Join(home, "jars")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(c.jars["spark"], link)
}

// SparkHome is the SPARK_HOME of the cluster's Spark: it has jars/ and conf/, and
// none of the scripts.
func (c *Cluster) SparkHome() string { return filepath.Join(c.dir, "spark") }

// SparkURL is what --master of a spark-submit takes; "" without Spark.
func (c *Cluster) SparkURL() string {
	if !c.state.Spark {
		return ""
	}
	return "spark://" + c.state.Ports.address(SparkMaster)
}

// SparkUI is the address of the master's web pages and of its /json/.
func (c *Cluster) SparkUI() string { return "http://" + c.state.Ports.address(sparkUI) }

func (c *Cluster) sparkMasterProcess() *process {
	return c.sparkProcess(SparkMaster, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1",
		"--port", strconv.Itoa(c.state.Ports[SparkMaster]), "--webui-port", strconv.Itoa(c.state.Ports[sparkUI]))
}

// sparkWorkerProcess describes the ith worker. Its cores are slots for tasks: those
// that wait for a store take one each, and so do copies of slow tasks.
func (c *Cluster) sparkWorkerProcess(i int) *process {
	name := SparkWorker(i)
	return c.sparkProcess(name, "org.apache.spark.deploy.worker.Worker", "--host", sparkHost(i),
		"--port", strconv.Itoa(c.state.Ports[name]), "--webui-port", strconv.Itoa(c.state.Ports[name+" ui"]),
		"--cores", "16", "--memory", "2g", "--work-dir", c.data(name), c.SparkURL())
}

func (c *Cluster) sparkProcess(name, class string, args ...string) *process {
	java := append(compiler(true), fmt.Sprintf("-Xmx%dm", sparkHeap),
		"-cp", filepath.Join(c.SparkHome(), "conf")+":"+filepath.Join(c.SparkHome(), "jars", "*"), class)
	p := c.newProcess(name, append(java, args...))
	// Without the version a worker looks for a source tree, and no executor starts.
	p.env = []string{"SPARK_HOME=" + c.SparkHome(), "SPARK_SCALA_VERSION=2.13"}
	return p
}

// sparkReady waits until the master has all workers.
func (c *Cluster) sparkReady(ctx context.Context) error {
	client := &http.Client{Timeout: readyCall}
	defer client.CloseIdleConnections()
	return until(ctx, readyPoll, func() error {
		if err := c.allRun(sparkPrefix); err != nil {
			return err
		}
		alive, err := c.sparkAlive(ctx, client)
		if err == nil && alive != SparkWorkers {
			err = fmt.Errorf("it has %d workers of %d", alive, SparkWorkers)
		}
		if err != nil {
			return fmt.Errorf("the master of Spark is not ready: %w", err)
		}
		return nil
	})
}

func (c *Cluster) sparkAlive(ctx context.Context, client *http.Client) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.SparkUI()+"/json/", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	var status struct {
		Alive int `json:"aliveworkers"`
	}
	err = json.NewDecoder(resp.Body).Decode(&status)
	return status.Alive, err
}

// Spark is how programs are submitted to Spark where only its jars are.
type Spark struct {
	Java string
	Home string // has jars/, and conf/ perhaps
}

// sparkOpens are the packages that Spark's driver opens, as its own scripts do.
var sparkOpens = strings.Fields(`java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util
	java.util.concurrent java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar`)

// SparkAt is the Spark of a folder, or of a cluster in the folder dir when home is
// "". The error is a *MissingError where there is none.
func SparkAt(ctx context.Context, home, dir string) (s Spark, err error) {
	if home == "" {
		home = filepath.Join(dir, "spark")
	}
	if found, err := filepath.Glob(filepath.Join(home, "jars", "spark-core_*.jar")); err != nil || len(found) == 0 {
		return s, &MissingError{What: "Spark (" + filepath.Join(home, "jars", "spark-core_*.jar") + ")",
			Install: "name one with SPARK_HOME, or start one with: speedlayer dev-cluster up kafka hbase spark"}
	}
	s.Home = home
	s.Java, err = findJava(ctx)
	return s, err
}

// Submit is the command line of a spark-submit with its arguments, without Spark's
// scripts, and what its environment has besides.
func (s Spark) Submit(args ...string) (command, env []string) {
	command = []string{s.Java, "-XX:+IgnoreUnrecognizedVMOptions", "-Xmx1g", "--add-modules=jdk.incubator.vector",
		"-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true"}
	for _, p := range sparkOpens {
		command = append(command, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
	}
	command = append(command, "-cp", filepath.Join(s.Home, "conf")+":"+filepath.Join(s.Home, "jars", "*"), "org.apache.spark.deploy.SparkSubmit")
	return append(command, args...), []string{"SPARK_HOME=" + s.Home, "SPARK_SCALA_VERSION=2.13"}
}

// localAddress is an address of this machine by which a master can be reached, so
// that a driver is found where executors look for it.
func localAddress(master string) string {
	d := net.Dialer{Timeout: 3 * time.Second}
	conn, err := d.Dial("udp", master)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// DriverHost is the address of this machine by which a standalone master,
// spark://HOST:PORT, is reached; "" if the master is another kind, or is not known.
func DriverHost(master string) string {
	address, ok := strings.CutPrefix(master, "spark://")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(address, ",")
	return localAddress(first)
}
