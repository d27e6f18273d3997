package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/internal/devcluster"
	"speedlayer/spark"
)

func newSpark(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "spark submit|jar",
		Short:   "Let Spark run the processors",
		Long:    "Spark plans and schedules, and a speedlayer spark-worker beside each executor\ndoes the work. docs/spark.md has the whole picture.",
		Example: "  speedlayer spark submit --master spark://HOST:7077 --kafka kafka1:9092 --store hbase://zk1:2181/hbase\n  speedlayer spark jar",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSparkSubmit(io), newSparkJar(io))
	return cmd
}

func newSparkJar(io streams) *cobra.Command {
	var jars string
	cmd := &cobra.Command{
		Use:     "jar",
		Short:   "Build speedlayer-spark.jar with Maven, unless it is there, and print its path",
		Example: "  cp $(speedlayer spark jar) .",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := sparkJar(cmd.Context(), io, jars)
			if err == nil {
				fmt.Fprintln(io.out, path)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&jars, "jars", "", "`FOLDER` that keeps the jar (default: speedlayer/jars in the user's cache)")
	return cmd
}

// sparkJar is the path of the jar: beside this program, or in the folder of jars,
// where it is built if it is not there.
func sparkJar(ctx context.Context, io streams, jars string) (string, error) {
	if self, err := os.Executable(); err == nil && jars == "" {
		if beside := filepath.Join(filepath.Dir(self), spark.JarName); exists(beside) {
			return beside, nil
		}
	}
	if jars == "" {
		var err error
		if jars, err = devcluster.DefaultJars(); err != nil {
			return "", err
		}
	}
	return spark.BuildJar(ctx, jars, io.err)
}

type sparkSubmitFlags struct {
	worker             sparkWorkerFlags // what is passed to the workers
	master, checkpoint string
	trigger            time.Duration
	availableNow       bool
	perTrigger         int64
	jar, binary        string
	clusterDir         string
}

func newSparkSubmit(io streams) *cobra.Command {
	var f sparkSubmitFlags
	cmd := &cobra.Command{
		Use:   "submit --master URL --kafka HOST:PORT,... --store URL [-- ARGUMENTS OF SPARK-SUBMIT]",
		Short: "Run the query that processes pageviews on Spark, until it is stopped",
		Long: `Runs spark-submit with the project's jar, this binary for the executors, and the
settings that matter. Spark is that of SPARK_HOME, else the spark-submit in PATH,
else the one of dev-cluster. What follows -- goes to spark-submit as it is.

The query goes on where the commit records in the store stand. A checkpoint saves
Spark a look at them; it may be deleted. Stopping the driver loses nothing.`,
		Example: `  speedlayer spark submit --master spark://127.0.0.1:7077 --kafka 127.0.0.1:9092 --store hbase://127.0.0.1:2181/hbase
  speedlayer spark submit --master yarn --kafka kafka1:9092 --store hbase://zk1:2181/hbase --checkpoint hdfs:///speedlayer -- --num-executors 16`,
		RunE: func(cmd *cobra.Command, args []string) error { return runSparkSubmit(cmd.Context(), io, f, args) },
	}
	flags := cmd.Flags()
	f.worker.cluster.kafka.add(flags, "of the cluster")
	flags.StringVar(&f.worker.cluster.store, "store", "", "`URL` of the store: "+sharedForm)
	flags.DurationVar(&f.worker.snapshotEvery, "snapshot-every", 10*time.Second, "pause between snapshots of operator state; a takeover replays at most that much log")
	f.worker.log.add(flags, "info")
	flags.StringVar(&f.master, "master", "", "`URL` of Spark's master: spark://HOST:PORT, yarn, k8s://..., local[N]")
	flags.StringVar(&f.checkpoint, "checkpoint", "", "`FOLDER` or URL for Spark's checkpoint (default: a fresh folder, which is fine for a driver on one machine)")
	flags.DurationVar(&f.trigger, "trigger", 500*time.Millisecond, "between the beginnings of micro-batches")
	flags.BoolVar(&f.availableNow, "available-now", false, "process what is in the log now, and end")
	flags.Int64Var(&f.perTrigger, "max-offsets-per-trigger", 0, "offsets of a micro-batch at most, of all partitions; 0 has no limit")
	flags.StringVar(&f.jar, "jar", "", "`FILE` or URL of speedlayer-spark.jar (default: beside this program, else built by Maven once)")
	flags.StringVar(&f.binary, "binary", "", "`PATH` of speedlayer on each machine (default: this program is sent to the executors)")
	flags.StringVar(&f.clusterDir, "dev-cluster", devClusterDir(), "`FOLDER` of a dev-cluster, whose Spark is taken if there is no other")
	return cmd
}

// check reports what is wrong with the flags.
func (f *sparkSubmitFlags) check(io streams) error {
	if _, err := f.worker.config(io.err); err != nil {
		return err
	}
	switch {
	case f.master == "":
		return usagef("--master is missing: allowed are spark://HOST:PORT, yarn, k8s://..., local[N]")
	case f.trigger < 0 || f.trigger > time.Hour:
		return usagef("--trigger %v: allowed is 0s to 1h", f.trigger)
	case f.perTrigger < 0:
		return usagef("--max-offsets-per-trigger %d: allowed is 1 or more, or 0 for no limit", f.perTrigger)
	}
	return nil
}

func runSparkSubmit(ctx context.Context, io streams, f sparkSubmitFlags, more []string) error {
	if err := f.check(io); err != nil {
		return err
	}
	if f.jar == "" {
		var err error
		if f.jar, err = sparkJar(ctx, io, ""); err != nil {
			return err
		}
	}
	if f.checkpoint == "" {
		dir, err := os.MkdirTemp("", "speedlayer-checkpoint-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it is of no more use, and no loss
		f.checkpoint = "file://" + dir
	}
	args, err := f.arguments(more)
	if err != nil {
		return err
	}
	command, env, err := sparkCommand(ctx, f.clusterDir, args)
	if err != nil {
		return err
	}
	return runDriver(ctx, io, command, env)
}

// sparkCommand is how Spark is started here with arguments of spark-submit.
func sparkCommand(ctx context.Context, clusterDir string, args []string) (command, env []string, err error) {
	home := os.Getenv("SPARK_HOME")
	for _, path := range []string{filepath.Join(home, "bin", "spark-submit"), "spark-submit"} {
		if home == "" && path != "spark-submit" {
			continue
		}
		if found, err := exec.LookPath(path); err == nil {
			return append([]string{found}, args...), nil, nil
		}
	}
	s, err := devcluster.SparkAt(ctx, home, clusterDir)
	if err != nil {
		return nil, nil, err
	}
	command, env = s.Submit(args...)
	return command, env, nil
}

// settings are those of Spark that matter for this query; --conf of the caller comes
// after them, and so overrules them.
func (f *sparkSubmitFlags) settings() []string {
	all := []string{
		// A silent executor is given up after half a minute, not two: others go on.
		"spark.network.timeout=30s",
		"spark.network.timeoutInterval=5s",
		"spark.executor.heartbeatInterval=5s",
		"spark.storage.blockManagerHeartbeatTimeoutMs=30000",
		// The first micro-batch waits for the executors, so partitions get their places.
		"spark.scheduler.minRegisteredResourcesRatio=1.0",
		// Executors that are killed count; a fatal error is tried so often in a second.
		"spark.task.maxFailures=16",
		"spark.log.level=WARN",
		"spark.ui.showConsoleProgress=false",
		"spark.sql.streaming.noDataMicroBatches.enabled=false",
	}
	if host := devcluster.DriverHost(f.master); host != "" {
		all = append(all, "spark.driver.host="+host)
	}
	if strings.HasPrefix(f.checkpoint, "file:") {
		// Of its two ways to write a checkpoint, the quick one on a local disk.
		all = append(all, "spark.sql.streaming.checkpointFileManagerClass=org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager")
	}
	return all
}

// arguments are those of spark-submit.
func (f *sparkSubmitFlags) arguments(more []string) ([]string, error) {
	args := []string{"--master", f.master, "--class", spark.MainClass, "--name", "speedlayer"}
	for _, s := range f.settings() {
		args = append(args, "--conf", s)
	}
	binary := f.binary
	if binary == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		args = append(args, "--files", self)
		binary = filepath.Base(self)
	}
	args = append(args, more...)
	args = append(args, f.jar, f.checkpoint, f.triggerText())
	return append(args, f.options(binary)...), nil
}

func (f *sparkSubmitFlags) triggerText() string {
	if f.availableNow {
		return "available-now"
	}
	return strconv.FormatInt(f.trigger.Milliseconds(), 10)
}

// options are those of the source.
func (f *sparkSubmitFlags) options(binary string) (all []string) {
	k := &f.worker.cluster.kafka
	for _, o := range []struct{ name, value string }{
		{"kafka", strings.Join(k.brokers, ",")}, {"store", f.worker.cluster.store}, {"binary", binary},
		{"snapshotEvery", f.worker.snapshotEvery.String()}, {"logLevel", f.worker.log.level},
		{"tlsCa", k.ca}, {"sasl", k.sasl}, {"saslUser", k.user}, {"saslPasswordFile", k.secret},
	} {
		if o.value != "" {
			all = append(all, o.name+"="+o.value)
		}
	}
	if k.tls {
		all = append(all, "tls=true")
	}
	if f.perTrigger > 0 {
		all = append(all, "maxOffsetsPerTrigger="+strconv.FormatInt(f.perTrigger, 10))
	}
	return all
}

// runDriver runs Spark's driver until it ends, or is asked to.
func runDriver(ctx context.Context, io streams, command, env []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, io.out, io.err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil // as asked: what is not committed is processed by the next query
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return fmt.Errorf("the driver of Spark ended: %w; its messages are above", err)
	}
	return err
}
