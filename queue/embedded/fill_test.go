package embedded

import (
	"math/rand/v2"
	"reflect"

	"speedlayer/queue"
)

// fill gives the fields of a request random values, names of topics among them.
func fill(r *rand.Rand, request any) {
	v := reflect.ValueOf(request).Elem()
	version := v.FieldByName("Version").Int()
	fillValue(r, v, 0)
	v.FieldByName("Version").SetInt(version)
}

func fillValue(r *rand.Rand, v reflect.Value, depth int) {
	numbers := []int64{0, 1, -1, 7, 1 << 30, -1 << 31, r.Int64N(100)}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && v.Type().Field(i).Name != "UnknownTags" {
				fillValue(r, f, depth+1)
			}
		}
	case reflect.String:
		names := []string{queue.TopicPageviews, queue.TopicEquivs, queue.TopicRejected, "", "mine", "noise-group", "0", "\xff"}
		v.SetString(names[r.IntN(len(names))])
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := numbers[r.IntN(len(numbers))]; !v.OverflowInt(n) {
			v.SetInt(n)
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillValue(r, v.Elem(), depth+1)
		}
	case reflect.Slice:
		if depth > 8 {
			return
		}
		n := r.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillValue(r, v.Index(i), depth+1)
		}
	case reflect.Uint8:
		v.SetUint(uint64(r.Uint32() & 0xff))
	}
}
