package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"speedlayer/internal/problem"
	"speedlayer/internal/tokens"
	"speedlayer/node"
)

// tokenEnv is the token that commands with --server send.
const tokenEnv = "SPEEDLAYER_TOKEN"

// serverClient is the client of commands that ask a server.
func serverClient() *http.Client { return &http.Client{Transport: tokenSender{}} }

// tokenSender adds the token of the environment to requests.
type tokenSender struct{}

func (tokenSender) RoundTrip(r *http.Request) (*http.Response, error) {
	if secret := os.Getenv(tokenEnv); secret != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newToken(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token create|list|revoke",
		Short: "Say who may read answers, and who may change things",
		Long: `While a server has tokens, only their owners may read answers (scope read) or change
things (scope admin). Sending pageviews needs none. Programs send a token as
"Authorization: Bearer TOKEN"; a browser asks for a password, which is the token.
Commands with --server take it from ` + tokenEnv + `.

A token is shown when it is created, and never again: the store has its hash.`,
		Example: "  speedlayer token create --scope admin --data DIR\n  speedlayer token list --server https://stats.example",
		Args:    noCommand,
		RunE: func(*cobra.Command, []string) error {
			return usagef("token needs a command: allowed are create, list, revoke")
		},
	}
	cmd.AddCommand(newTokenCreate(io), newTokenList(io), newTokenRevoke(io))
	return cmd
}

func newTokenCreate(io streams) *cobra.Command {
	var target tokenFlags
	var scope, name string
	cmd := &cobra.Command{
		Use:     "create --scope read|admin",
		Short:   "Create a token, and print it",
		Example: "  speedlayer token create --scope read --name grafana --data DIR",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := tokens.ParseScope(scope)
			if err != nil {
				return usagef("--%w", err)
			}
			return target.withTokens(cmd.Context(), io, func(ctx context.Context, k tokenKeeper) error {
				t, err := k.create(ctx, s, name)
				if err == nil {
					fmt.Fprintf(io.err, "speedlayer: token %s of scope %s; it is not shown again\n", t.ID, t.Scope)
					fmt.Fprintln(io.out, t.Token)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "", "read or admin")
	cmd.Flags().StringVar(&name, "name", "", "what it is for, for people")
	target.add(cmd.Flags())
	return cmd
}

func newTokenList(io streams) *cobra.Command {
	var target tokenFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The tokens there are, without their secrets",
		Example: "  speedlayer token list --data DIR",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return target.withTokens(cmd.Context(), io, func(ctx context.Context, k tokenKeeper) error {
				all, err := k.list(ctx)
				for _, t := range all {
					fmt.Fprintf(io.out, "%s\t%s\t%s\t%s\n", t.ID, t.Scope, t.Created.Format(time.RFC3339), t.Name)
				}
				return err
			})
		},
	}
	target.add(cmd.Flags())
	return cmd
}

func newTokenRevoke(io streams) *cobra.Command {
	var target tokenFlags
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Take a token away, by its ID",
		Example: "  speedlayer token revoke 0123456789abcdef --data DIR",
		Args:    exactArgs(1, "the ID of a token"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return target.withTokens(cmd.Context(), io, func(ctx context.Context, k tokenKeeper) error { return k.revoke(ctx, ids[0]) })
		},
	}
	target.add(cmd.Flags())
	return cmd
}

// tokenFlags say whose tokens.
type tokenFlags struct {
	targetFlags
	cluster clusterFlags
}

func (w *tokenFlags) add(flags *pflag.FlagSet) {
	w.targetFlags.add(flags)
	flags.StringVar(&w.cluster.store, "store", "", "`URL` of a store that processes share, as of serve")
}

// tokenKeeper is where tokens are kept.
type tokenKeeper struct {
	create func(ctx context.Context, s tokens.Scope, name string) (node.TokenAnswer, error)
	list   func(ctx context.Context) ([]node.TokenAnswer, error)
	revoke func(ctx context.Context, id string) error
}

// withTokens calls do with the tokens of a server, or of a data directory that no
// server holds, which is made if it is missing.
func (w *tokenFlags) withTokens(ctx context.Context, io streams, do func(context.Context, tokenKeeper) error) error {
	switch {
	case w.data != "" && w.server != "":
		return usagef("--server and --data exclude each other")
	case w.cluster.store != "" && (w.data != "" || w.server != ""):
		return usagef("--store excludes --server and --data")
	case w.data == "" && w.cluster.store == "":
		return do(ctx, serverTokens(w.serverURL()))
	}
	config := node.Config{Data: w.data}
	if w.cluster.store != "" {
		if err := w.cluster.applyStore(&config); err != nil {
			return err
		}
	}
	return node.WithTokens(ctx, config, func(rows tokens.Rows) error {
		return do(ctx, tokenKeeper{
			create: func(ctx context.Context, s tokens.Scope, name string) (node.TokenAnswer, error) {
				t, secret, err := tokens.Create(ctx, rows, s, name, time.Now())
				return node.TokenAnswer{ID: t.ID, Scope: t.Scope, Token: secret}, err
			},
			list: func(ctx context.Context) (all []node.TokenAnswer, err error) {
				found, err := tokens.List(ctx, rows)
				for _, t := range found {
					all = append(all, node.TokenAnswer{ID: t.ID, Name: t.Name, Scope: t.Scope, Created: t.Created})
				}
				return all, err
			},
			revoke: func(ctx context.Context, id string) error { return tokens.Revoke(ctx, rows, id) },
		})
	})
}

func serverTokens(server string) tokenKeeper {
	call := func(ctx context.Context, method, query string, in, out any) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, method, server+node.TokensPath+query, bytes.NewReader(body))
		if err != nil {
			return usageError{err}
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := serverClient().Do(r)
		if err != nil {
			return fmt.Errorf("no answer from the server: %w", err)
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 300 {
			var p problem.Details
			_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&p) // without details, the status tells it
			return errors.New(resp.Status + ": " + p.Detail)
		}
		return json.NewDecoder(resp.Body).Decode(out)
	}
	return tokenKeeper{
		create: func(ctx context.Context, s tokens.Scope, name string) (t node.TokenAnswer, err error) {
			err = call(ctx, http.MethodPost, "", map[string]string{"scope": string(s), "name": name}, &t)
			return t, err
		},
		list: func(ctx context.Context) ([]node.TokenAnswer, error) {
			var all struct{ Tokens []node.TokenAnswer }
			err := call(ctx, http.MethodGet, "", nil, &all)
			return all.Tokens, err
		},
		revoke: func(ctx context.Context, id string) error {
			var done struct{ Revoked bool }
			err := call(ctx, http.MethodDelete, "?id="+url.QueryEscape(id), nil, &done)
			if err == nil && !done.Revoked {
				err = fmt.Errorf("%w: %q", tokens.ErrNone, id)
			}
			return err
		},
	}
}
