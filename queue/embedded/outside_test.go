package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"speedlayer/queue"
	"speedlayer/record"
)

// outsider is a client at the port, as any other program is one.
func outsider(t testing.TB, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Nothing that other programs ask for changes the system's topics or the broker.
func TestOutsidersAdministerNothing(t *testing.T) {
	b, c := start(t)
	if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("ann"), Value: []byte(`{"person":"ann"}`)}}); err != nil {
		t.Fatal(err)
	}
	before := state(t, c)
	client := outsider(t, b)
	adm := kadm.NewClient(client)
	all := []string{queue.TopicPageviews, queue.TopicEquivs, queue.TopicRejected}
	value := "1"
	config := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}
	topicDenied, clusterDenied := kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed
	for name, attack := range map[string]func(ctx context.Context) (error, error){
		"CreateTopics": func(ctx context.Context) (error, error) {
			r, err := adm.CreateTopics(ctx, 1_000_000, 1, nil, "mine")
			return errors.Join(err, r.Error()), topicDenied
		},
		"DeleteTopics": func(ctx context.Context) (error, error) {
			r, err := adm.DeleteTopics(ctx, all...)
			return errors.Join(err, r.Error()), topicDenied
		},
		"DeleteRecords": func(ctx context.Context) (error, error) {
			offsets := kadm.Offsets{}
			for part := range int32(8) {
				offsets.AddOffset(queue.TopicPageviews, part, 1, -1)
			}
			r, err := adm.DeleteRecords(ctx, offsets)
			return errors.Join(err, r.Error()), topicDenied
		},
		"AlterConfigs": func(ctx context.Context) (error, error) {
			r, err := adm.AlterTopicConfigsState(ctx, config, all...)
			return errors.Join(err, configErrors(r)), topicDenied
		},
		"IncrementalAlterConfigs": func(ctx context.Context) (error, error) {
			r, err := adm.AlterTopicConfigs(ctx, config, all...)
			return errors.Join(err, configErrors(r)), topicDenied
		},
		"AlterConfigs of the broker": func(ctx context.Context) (error, error) {
			r, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.max.bytes", Value: &value}})
			return errors.Join(err, configErrors(r)), clusterDenied
		},
		"CreatePartitions": func(ctx context.Context) (error, error) {
			r, err := adm.UpdatePartitions(ctx, 1_000_000, all...)
			return errors.Join(err, r.Error()), topicDenied
		},
		"CreateACLs": func(ctx context.Context) (error, error) {
			acl := kadm.NewACLs().Allow("User:*").AllowHosts("*").Topics(queue.TopicEquivs).Operations(kadm.OpAll).ResourcePatternType(kadm.ACLPatternLiteral)
			r, err := adm.CreateACLs(ctx, acl)
			for _, x := range r {
				err = errors.Join(err, x.Err)
			}
			return err, clusterDenied
		},
		"DeleteACLs": func(ctx context.Context) (error, error) {
			r, err := adm.DeleteACLs(ctx, kadm.NewACLs().AnyResource().Allow().AllowHosts().Operations(kadm.OpAny).ResourcePatternType(kadm.ACLPatternAny))
			for _, x := range r {
				err = errors.Join(err, x.Err)
			}
			return err, clusterDenied
		},
		"Produce to equivs": func(ctx context.Context) (error, error) {
			return produceTo(ctx, client, queue.TopicEquivs), topicDenied
		},
		"Produce to pageviews-rejected": func(ctx context.Context) (error, error) {
			return produceTo(ctx, client, queue.TopicRejected), topicDenied
		},
		"AlterUserScramCredentials": func(ctx context.Context) (error, error) {
			r, err := adm.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "me", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "x"}})
			return errors.Join(err, r.Error()), clusterDenied
		},
		"WriteTxnMarkers": func(ctx context.Context) (error, error) {
			r, err := adm.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: 1, Commit: true, Topics: kadm.TopicsSet{queue.TopicPageviews: {0: {}}}})
			for _, x := range r {
				for _, topic := range x.Topics {
					for _, p := range topic.Partitions {
						err = errors.Join(err, p.Err)
					}
				}
			}
			return err, clusterDenied
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err, want := attack(t.Context()); !errors.Is(err, want) {
				t.Errorf("answered %v, want %v", err, want)
			}
		})
	}
	if after := state(t, c); !reflect.DeepEqual(after, before) {
		t.Errorf("topics were\n%v\nand are\n%v", before, after)
	}
}

func configErrors(r kadm.AlterConfigsResponses) (err error) {
	for _, x := range r {
		err = errors.Join(err, x.Err)
	}
	return err
}

func produceTo(ctx context.Context, c *kgo.Client, topic string, headers ...kgo.RecordHeader) error {
	return c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(`{"person":"x"}`), Headers: headers}).FirstErr()
}

// state is what topics there are, with their settings and ends.
func state(t *testing.T, c *queue.Client) (all []string) {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	edges, err := c.EdgeLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return append(all, fmt.Sprint(info), fmt.Sprint(edges))
}

// What other programs may do goes on working: appends, transactions, groups of
// their own, and looking at everything.
func TestOutsidersAtWork(t *testing.T) {
	b, _ := start(t)
	client := outsider(t, b, kgo.TransactionalID("shop"))
	ctx := t.Context()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := produceTo(ctx, client, queue.TopicPageviews, kgo.RecordHeader{Key: "trace", Value: []byte("speedlayer-marker")}); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	group := outsider(t, b, kgo.ConsumerGroup("mine"), kgo.ConsumeTopics(queue.TopicPageviews), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if n := len(group.PollFetches(ctx).Records()); n != 1 {
		t.Fatalf("%d records, want 1", n)
	}
	if err := group.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(client)
	for name, look := range map[string]func() error{
		"topics": func() error {
			r, err := adm.ListTopics(ctx)
			if err == nil && !slices.Contains(r.Names(), queue.TopicEquivs) {
				err = fmt.Errorf("topics are %v", r.Names())
			}
			return err
		},
		"settings": func() error {
			r, err := adm.DescribeTopicConfigs(ctx, queue.TopicEquivs)
			return errors.Join(err, r[0].Err)
		},
		"broker": func() error { r, err := adm.DescribeBrokerConfigs(ctx, 0); return errors.Join(err, r[0].Err) },
		"ends": func() error {
			r, err := adm.ListEndOffsets(ctx, queue.TopicRejected)
			return errors.Join(err, r.Error())
		},
		"groups":       func() error { r, err := adm.DescribeGroups(ctx, "mine"); return errors.Join(err, r.Error()) },
		"lag":          func() error { r, err := adm.Lag(ctx, "mine"); return errors.Join(err, r.Error()) },
		"log size":     func() error { _, err := adm.DescribeAllLogDirs(ctx, nil); return err },
		"transactions": func() error { _, err := adm.ListTransactions(ctx, nil, nil); return err },
	} {
		if err := look(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	group.Close()
	if r, err := adm.DeleteGroups(ctx, "mine"); err != nil || r.Error() != nil {
		t.Errorf("deleting a group of its own: %v, %v", err, r.Error())
	}
}

// Records with headers of the system's are rejected, however they are packed, and
// with them the whole request; the connection goes on.
func TestOutsidersForgeNothing(t *testing.T) {
	for _, h := range []string{record.MarkerHeader, record.ReroutedHeader, record.ReasonHeader, record.SourceHeader} {
		if !strings.HasPrefix(h, string(internalPrefix)) {
			t.Fatalf("the port does not know the header %s", h)
		}
	}
	b, c := start(t)
	for name, codec := range map[string]kgo.CompressionCodec{"plain": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()} {
		t.Run(name, func(t *testing.T) {
			client := outsider(t, b, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(10*time.Millisecond))
			before := state(t, c)
			for _, h := range []string{record.MarkerHeader, record.ReroutedHeader, "speedlayer-new"} {
				bad := kgo.RecordHeader{Key: h, Value: []byte("0/0/9999")}
				records := []*kgo.Record{{Topic: queue.TopicPageviews, Value: make([]byte, 2000)},
					{Topic: queue.TopicPageviews, Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: "x"}, bad}}}
				err := client.ProduceSync(t.Context(), records...).FirstErr()
				if !errors.Is(err, kerr.InvalidRecord) {
					t.Errorf("%s: answered %v, want %v", h, err, kerr.InvalidRecord)
				}
			}
			if after := state(t, c); !reflect.DeepEqual(after, before) {
				t.Errorf("the log was %v and is %v", before, after)
			}
			if err := produceTo(t.Context(), client, queue.TopicPageviews); err != nil {
				t.Errorf("an ordinary record afterwards: %v", err)
			}
		})
	}
}

// Requests that announce much and send little take no memory, and do not keep
// others from being served.
func TestOutsidersUnfinishedRequests(t *testing.T) {
	b, _ := start(t)
	for range 20 {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := binary.BigEndian.AppendUint32(nil, 90<<20)
		head = append(head, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff)
		if _, err := conn.Write(append(head, make([]byte, 1<<20)...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := produceTo(t.Context(), outsider(t, b), queue.TopicPageviews); err != nil {
		t.Fatal(err)
	}
	if taken := maxReceived - free(b.out); taken > 20*(4<<20) {
		t.Errorf("20 requests of which 1 MiB came take %d bytes", taken)
	}
}

// free is how much room is left.
func free(o *outside) (n int64) {
	for step := int64(maxReceived); step > 0; step /= 2 {
		for o.room.TryAcquire(step) {
			n += step
		}
	}
	o.room.Release(n)
	return n
}

// A fetch that asks for everything, and for ever, is bounded.
func TestBoundFetch(t *testing.T) {
	for version := int16(4); version <= 17; version++ {
		req := kmsg.NewPtrFetchRequest()
		req.SetVersion(version)
		req.MaxBytes, req.MaxWaitMillis = 1<<31-1, 1<<31-1
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic = "pageviews"
		topic.Partitions = append(topic.Partitions, kmsg.NewFetchRequestTopicPartition())
		req.Topics = append(req.Topics, topic)
		frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("me")).AppendRequest(nil, req, 7)
		got := boundFetch(frame)
		back := kmsg.NewPtrFetchRequest()
		back.SetVersion(version)
		if err := readRequest(got[frameAt:], back); err != nil {
			t.Fatal(err)
		}
		if back.MaxBytes != maxFetched || back.MaxWaitMillis != int32(maxWaited.Milliseconds()) || len(back.Topics) != 1 || correlation(got) != 7 ||
			int(binary.BigEndian.Uint32(got)) != len(got)-frameAt {
			t.Errorf("version %d: %+v", version, back)
		}
	}
}

// A batch that unpacks to more than any reader has room for is rejected.
func TestUnpackBound(t *testing.T) {
	zeros := make([]byte, maxBatchSize+1)
	for codec, c := range map[uint16]kgo.CompressionCodec{1: kgo.GzipCompression(), 2: kgo.SnappyCompression(), 3: kgo.Lz4Compression(), 4: kgo.ZstdCompression()} {
		z, err := kgo.DefaultCompressor(c)
		if err != nil {
			t.Fatal(err)
		}
		packed, _ := z.Compress(new(bytes.Buffer), zeros)
		if _, err := unpack(packed, codec); !errors.Is(err, errUnpacked) {
			t.Errorf("codec %d: %v", codec, err)
		}
		small, _ := z.Compress(new(bytes.Buffer), zeros[:1000])
		if out, err := unpack(small, codec); err != nil || len(out) != 1000 {
			t.Errorf("codec %d: %d bytes, %v", codec, len(out), err)
		}
		if _, err := unpack(small[:len(small)/2], codec); err == nil && codec != 3 {
			t.Errorf("codec %d: half a batch is taken", codec)
		}
	}
}
