package oracle

import "encoding/binary"

// partitionOf is Kafka's default partitioner: murmur2 of the key, sign bit
// cleared, modulo the number of partitions (org.apache.kafka.common.utils.Utils
// and clients.producer.internals.BuiltInPartitioner).
func partitionOf(person string, partitions int32) int32 {
	return int32(murmur2([]byte(person))&0x7fffffff) % partitions
}

func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>24) * m
		h = h*m ^ k
	}
	var tail uint32
	for i := len(b) - 1; i >= 0; i-- {
		tail = tail<<8 | uint32(b[i])
	}
	if len(b) > 0 {
		h = (h ^ tail) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
