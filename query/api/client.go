package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"speedlayer/internal/problem"
	"speedlayer/query"
)

// Client calls the HTTP API of a server. It is the other
// implementation of query.Answers.
type Client struct {
	base string
	http *http.Client
}

var _ query.Answers = (*Client)(nil)

// NewClient returns a client of the server at a URL such as
// http://127.0.0.1:8080, without the path of the API. A host and port alone are
// taken as http. hc may be nil. Errors are *query.Error.
func NewClient(server string, hc *http.Client) (*Client, error) {
	const allowed = "a URL as in http://127.0.0.1:8080"
	text := server
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, query.BadRequest("server", fmt.Sprintf("%q is not a server", query.Shown(server)), allowed)
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Client{base: strings.TrimRight(u.String(), "/") + "/api/v1/", http: hc}, nil
}

// values makes a query string of alternating names and values, without the empty
// ones.
func values(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// limitText is a limit as a parameter. The server rejects limits that are not
// allowed.
func limitText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Pageviews implements query.Answers.
func (c *Client) Pageviews(ctx context.Context, q query.URLQuery) (*query.PageviewsAnswer, error) {
	return get[query.PageviewsAnswer](ctx, c, "pageviews"+values("url", q.URL, "from", q.From, "to", q.To, "by", q.By))
}

// Uniques implements query.Answers.
func (c *Client) Uniques(ctx context.Context, q query.URLQuery) (*query.UniquesAnswer, error) {
	return get[query.UniquesAnswer](ctx, c, "uniques"+values("url", q.URL, "from", q.From, "to", q.To, "by", q.By))
}

// BounceRate implements query.Answers.
func (c *Client) BounceRate(ctx context.Context, q query.DomainQuery) (*query.BounceRateAnswer, error) {
	return get[query.BounceRateAnswer](ctx, c, "bounce-rate"+values("domain", q.Domain, "from", q.From, "to", q.To, "by", q.By))
}

// Top implements query.Answers.
func (c *Client) Top(ctx context.Context, q query.TopQuery) (*query.TopAnswer, error) {
	return get[query.TopAnswer](ctx, c, "top"+values("domain", q.Domain, "from", q.From, "to", q.To, "limit", limitText(q.Limit)))
}

// Domains implements query.Answers.
func (c *Client) Domains(ctx context.Context, q query.DomainsQuery) (*query.DomainsAnswer, error) {
	return get[query.DomainsAnswer](ctx, c, "domains"+values("from", q.From, "to", q.To, "limit", limitText(q.Limit), "search", q.Search))
}

// Equivs implements query.Answers.
func (c *Client) Equivs(ctx context.Context) (*query.EquivsAnswer, error) {
	return get[query.EquivsAnswer](ctx, c, "equivs")
}

// Status implements query.Answers.
func (c *Client) Status(ctx context.Context) (*query.StatusAnswer, error) {
	return get[query.StatusAnswer](ctx, c, "status")
}

// AddEquiv implements query.Answers.
func (c *Client) AddEquiv(ctx context.Context, id1, id2 string) (*query.EquivAnswer, error) {
	return c.equiv(ctx, http.MethodPost, id1, id2)
}

// RemoveEquiv implements query.Answers.
func (c *Client) RemoveEquiv(ctx context.Context, id1, id2 string) (*query.EquivAnswer, error) {
	return c.equiv(ctx, http.MethodDelete, id1, id2)
}

func (c *Client) equiv(ctx context.Context, method, id1, id2 string) (*query.EquivAnswer, error) {
	// The encoder would replace invalid UTF-8, which makes it another identifier.
	if err := query.CheckPair(id1, id2); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := encode(&body, map[string]string{"id1": id1, "id2": id2}); err != nil {
		return nil, err
	}
	return call[query.EquivAnswer](ctx, c, method, "equivs", &body)
}

// Export implements query.Answers.
func (c *Client) Export(ctx context.Context, q query.ExportQuery, fn func(query.Cell) error) error {
	resp, err := c.do(ctx, http.MethodGet, "export"+values("view", q.View, "from", q.From, "to", q.To), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(bufio.NewReaderSize(resp.Body, 64<<10))
	for {
		var cell query.Cell
		if err := dec.Decode(&cell); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("export from %s broke off: %w", c.base, err)
		}
		if err := fn(cell); err != nil {
			return err
		}
	}
}

func get[A any](ctx context.Context, c *Client, path string) (*A, error) {
	return call[A](ctx, c, http.MethodGet, path, nil)
}

func call[A any](ctx context.Context, c *Client, method, path string, body io.Reader) (*A, error) {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := new(A)
	if err := json.NewDecoder(resp.Body).Decode(a); err != nil {
		return nil, fmt.Errorf("answer of %s%s: %w", c.base, path, err)
	}
	return a, nil
}

// do sends a call and returns a response with status 200. The caller must close its
// body. Any other status is a *query.Error.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/x-ndjson, "+problem.ContentType)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from the server: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	e := &query.Error{Status: resp.StatusCode, Detail: fmt.Sprintf("%s answered %s", c.base, resp.Status)}
	var d problem.Details
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && json.Unmarshal(text, &d) == nil && d.Status == resp.StatusCode {
		e.Field, e.Allowed = d.Field, d.Allowed
		if d.Detail != "" {
			e.Detail = d.Detail
		}
	}
	return nil, e
}
