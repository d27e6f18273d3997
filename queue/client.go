package queue

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"speedlayer/record"
)

// Topics.
const (
	TopicPageviews = "pageviews"
	TopicEquivs    = "equivs"
	TopicRejected  = "pageviews-rejected"
)

// RejectedTopic is the dead-letter topic of a topic.
func RejectedTopic(topic string) string { return topic + "-rejected" }

// Bounds of what one produce request and the producer's memory hold.
const (
	maxBatchBytes    = 4 << 20
	maxBufferedBytes = 64 << 20
	answerTime       = 10 * time.Second // after which a broker is said to be away
)

var (
	// ErrOverloaded: the producer's memory is full; try again later.
	ErrOverloaded = errors.New("queue: too much is waiting to be written")
	// ErrUnavailable: the broker did not answer in time.
	ErrUnavailable = errors.New("queue: the broker does not answer")
)

// Config defines how to reach the queue.
type Config struct {
	Brokers     []string
	Topic       string // that the client appends to, reads and describes; "" is TopicPageviews
	Partitions  int32  // of the topic if it must be made; 0 is 8
	Replication int16  // of topics that must be made; 0 is the cluster's default
	MinInsync   int16  // min.insync.replicas of such topics; 0 is the cluster's default
	ReadOnly    bool   // nothing is appended, so the user needs no right to
	Feed        bool   // pageviews are appended, and equiv edges only if the user may
	Repair      bool   // settings of misconfigured topics are corrected: the broker is the process's own
	Group       string // consumer group that is joined, whose rights are checked too; "" is none
	MaxBuffered int    // records waiting at once; 0 is 200,000
	Logger      *slog.Logger

	TLS  *tls.Config    // nil: connections are not encrypted
	SASL sasl.Mechanism // nil: brokers ask for no credentials

	// Dialer connects to brokers; nil is TCP. Simulations have a network of
	// their own, in which time is virtual.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
}

// connect is how every client of the queue finds its brokers.
func (c *Config) connect(more ...kgo.Opt) []kgo.Opt {
	opts := append(more, kgo.SeedBrokers(c.Brokers...))
	switch {
	case c.Dialer != nil:
		opts = append(opts, kgo.Dialer(c.Dialer))
	case c.TLS != nil:
		opts = append(opts, kgo.DialTLSConfig(c.TLS))
	}
	if c.SASL != nil {
		opts = append(opts, kgo.SASL(c.SASL))
	}
	return opts
}

// Client appends to one topic of the queue and describes it. Safe for concurrent use.
type Client struct {
	cfg   Config
	kafka *kgo.Client
	admin *kadm.Client
	trust atomic.Pointer[record.Trust]
}

// Topic is the topic of the client.
func (c *Client) Topic() string { return c.cfg.Topic }

// Sign has the client sign the internal records that it appends from now on.
func (c *Client) Sign(t *record.Trust) { c.trust.Store(t) }

// Dial connects, checks the topics that are there, and makes those that are
// missing.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := c.MakeTopics(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Connect connects and checks the topics that are there. It changes nothing. An
// error says by ErrAddress, ErrTLS, ErrCredentials, ErrRights or ErrTopic what must
// be set otherwise.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Topic == "" {
		cfg.Topic = TopicPageviews
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = 8
	}
	if cfg.Replication == 0 {
		cfg.Replication = -1
	}
	if cfg.MaxBuffered == 0 {
		cfg.MaxBuffered = 200_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg}
	var err error
	c.kafka, err = kgo.NewClient(cfg.connect(
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(lingerTime),
		kgo.ProducerBatchMaxBytes(maxBatchBytes),
		kgo.MaxBufferedRecords(cfg.MaxBuffered),
		kgo.MaxBufferedBytes(maxBufferedBytes),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.RecordDeliveryTimeout(answerTime),
		kgo.UnknownTopicRetries(5),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.MetadataMaxAge(metadataAge),
	)...)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	c.admin = kadm.NewClient(c.kafka)
	if err := c.ping(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.checkTopics(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// ping asks any broker for anything, so that what is wrong with the way there is
// told at once; what is retried for a while otherwise is said to be away.
func (c *Client) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := c.kafka.Ping(ctx); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(c.cfg.Brokers, ","), c.cfg.classify(err))
	}
	return nil
}

// metadataAge bounds for how long a client that nobody tells appends to an old
// number of partitions. Each such record is rerouted, which costs a second append.
const metadataAge = 10 * time.Second

// lingerTime is how long a record waits for others to share its batch. It need
// not cover the sync: requests that are on the way share syncs too. Measured
// with 64 clients of one record each, 100 to 250 us are best: without it every
// record writes two files of the broker's, with 1 ms the disk waits.
const lingerTime = 150 * time.Microsecond

// Close drops what was not acknowledged yet.
func (c *Client) Close() { c.kafka.Close() }

// TopicInfo describes the topic of a client: what makes it this incarnation of the log.
type TopicInfo struct {
	ID         string // hex; another topic of the same name has another
	Partitions int32
	Starts     []int64 // first offset still there, by partition
	Ends       []int64 // next offset
	// Stable is where the committed part of each partition ends: at the end, or
	// below it while a transaction is open. What readers are given lies below.
	Stable []int64
}

// Info asks the broker.
func (c *Client) Info(ctx context.Context) (TopicInfo, error) {
	details, err := c.admin.ListTopics(ctx, c.cfg.Topic)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	d, ok := details[c.cfg.Topic]
	if !ok || d.Err != nil {
		return TopicInfo{}, fmt.Errorf("%w: topic %s: %w", ErrUnavailable, c.cfg.Topic, d.Err)
	}
	n := int32(len(d.Partitions))
	info := TopicInfo{ID: hex.EncodeToString(d.ID[:]), Partitions: n, Starts: make([]int64, n), Ends: make([]int64, n), Stable: make([]int64, n)}
	// In this order, so that no partition seems to end below what is committed.
	for _, l := range []struct {
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
		to   []int64
	}{{c.admin.ListStartOffsets, info.Starts}, {c.admin.ListCommittedOffsets, info.Stable}, {c.admin.ListEndOffsets, info.Ends}} {
		offsets, err := l.list(ctx, c.cfg.Topic)
		if err != nil {
			return TopicInfo{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if err := c.fill(l.to, offsets); err != nil {
			return TopicInfo{}, err
		}
	}
	return info, nil
}

func (c *Client) fill(to []int64, offsets kadm.ListedOffsets) error {
	for part := range to {
		o, ok := offsets.Lookup(c.cfg.Topic, int32(part))
		if !ok || o.Err != nil {
			return fmt.Errorf("%w: offsets of partition %d: %w", ErrUnavailable, part, o.Err)
		}
		to[part] = o.Offset
	}
	return nil
}

// Size is how many bytes the log takes on disk; 0 if the broker does not say.
func (c *Client) Size(ctx context.Context) (int64, error) {
	dirs, err := c.admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var sum int64
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) { sum += p.Size })
	})
	return sum, nil
}
