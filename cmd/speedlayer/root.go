package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a call that was wrong; its text tells what is allowed.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errShown is a failure that was reported already.
var errShown = errors.New("failed")

// streams are where a command reads and writes: data on out, the rest on err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Run is the whole program: it returns the exit status.
func Run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	root := newRoot(streams{in, out, errw})
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, args, err) })
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		plainUsage(root)
	}
	err := hinted(root.ExecuteContext(ctx))
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errShown):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(errw, "speedlayer: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(errw, "speedlayer: %v\n", err)
	return exitFailed
}

func newRoot(io streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "speedlayer",
		Short:         "The speed layer of a Lambda Architecture for web analytics",
		Long:          "speedlayer takes pageviews and answers at once, exactly, over any range of hours:\nhow many pageviews, how many unique visitors, what bounce rate.",
		Example:       "  speedlayer demo\n  speedlayer serve --data DIR\n  speedlayer query uniques --url foo.com --from now-24h --to now",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.PersistentFlags().String("config", "", "YAML, TOML or JSON `FILE` with flags by name")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return readConfig(cmd) }
	root.AddCommand(
		newDemo(io), newServe(io), newToken(io), newImport(io), newQuery(io), newTop(io), newExport(io), newEquiv(io),
		newArchive(io), newBatch(io), newAccuracy(io), newStatus(io), newGenerate(io), newVerify(io), newRebuild(io), newBench(io), newTorture(io), newDevCluster(io), newSpark(io), newSparkWorker(io), newTopology(io), newVersion(io),
	)
	return root
}

func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			names = append(names, c.Name())
		}
	}
	return usagef("%q is not a command of %s: allowed are %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
}

// noArgs refuses arguments, as exactArgs does any other number than n.
func noArgs(cmd *cobra.Command, args []string) error { return exactArgs(0, "")(cmd, args) }

func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		if n == 0 {
			return usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		}
		return usagef("%s takes %s, got %d arguments", cmd.CommandPath(), what, len(args))
	}
}

// readConfig sets the flags that the command line left alone from the
// environment (SPEEDLAYER_LISTEN for --listen), then from --config FILE.
func readConfig(cmd *cobra.Command) error {
	v := viper.New()
	if file, _ := cmd.Flags().GetString("config"); file != "" {
		v.SetConfigFile(file)
		if err := v.ReadInConfig(); err != nil {
			return usagef("--config %s: %w", file, err)
		}
		for _, key := range v.AllKeys() {
			if !anyCommandHas(cmd.Root(), key) {
				return usagef("--config %s: %q is not a flag of any command", file, key)
			}
		}
	}
	var err error
	overruled := overruledBy(cmd.Flags())
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil || f.Name == overruled {
			return
		}
		name := "SPEEDLAYER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if text, ok := os.LookupEnv(name); ok {
			if e := cmd.Flags().Set(f.Name, text); e != nil {
				err = usagef("%s=%q: %w", name, text, e)
			}
			return
		}
		if v.IsSet(f.Name) {
			text := v.GetString(f.Name)
			if list, ok := v.Get(f.Name).([]any); ok {
				text = joinList(list)
			}
			if e := cmd.Flags().Set(f.Name, text); e != nil {
				err = usagef("--config: %s: %w", f.Name, e)
			}
		}
	})
	return err
}

// overruledBy names the flag that the command line has decided by its opposite:
// a file that tells where serve has its data is no reason not to ask --server.
func overruledBy(flags *pflag.FlagSet) string {
	switch {
	case flags.Changed("server"):
		return "data"
	case flags.Changed("data"):
		return "server"
	}
	return ""
}

// joinList is a list of a config file as a flag takes it.
func joinList(list []any) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ",")
}

func anyCommandHas(cmd *cobra.Command, flag string) bool {
	if cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil {
		return true
	}
	for _, c := range cmd.Commands() {
		if anyCommandHas(c, flag) {
			return true
		}
	}
	return false
}
