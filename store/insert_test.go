package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/store"
	"statewire/store/storetest"
)

// manyTypes has every type that the project's tables take.
const manyTypes = `CREATE TABLE many (id UUID, n UInt64, a Array(String), s String, t DateTime64(6, 'UTC'), i Int32, b UInt8, o Nullable(UInt64))
	ENGINE = MergeTree ORDER BY n`

// someOfManyTypes are rows whose every value follows from their number.
func someOfManyTypes(from, rows int) []any {
	var lists store.Lists
	ids, numbers, texts, times := []uuid.UUID{}, []uint64{}, []string{}, []time.Time{}
	ints, bytes, options := []int32{}, []uint8{}, []*uint64{}
	for n := from; n < from+rows; n++ {
		value := uint64(n)
		ids, numbers, texts = append(ids, clientID(byte(n))), append(numbers, value), append(texts, strings.Repeat("x", n%50))
		times, ints, bytes = append(times, time.UnixMicro(int64(n)).UTC()), append(ints, int32(-n)), append(bytes, uint8(n))
		lists.Append(strings.Fields(strings.Repeat(fmt.Sprint(n, " "), n%4))...)
		if n%2 == 0 {
			options = append(options, &value)
		} else {
			options = append(options, nil)
		}
	}
	return []any{ids, numbers, lists, texts, times, ints, bytes, options}
}

const rightRows = `SELECT count() FROM many WHERE reinterpretAsUInt8(reverse(unhex(substring(toString(id), 35, 2)))) = n % 256
	AND a = arrayWithConstant(n % 4, toString(n)) AND length(s) = n % 50 AND toUnixTimestamp64Micro(t) = n AND i = -n AND b = n % 256
	AND o IS NOT DISTINCT FROM if(n % 2 = 0, n, NULL)`

func TestInsertKeepsRowsRightFromBatchToBatch(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, manyTypes)
	r := rand.New(rand.NewPCG(1, 2))
	var work errgroup.Group
	total := 0
	for range 4 { // at once, and more than memory is kept for
		first := total
		sizes := []int{}
		for range 8 {
			sizes = append(sizes, r.IntN(2000))
		}
		for _, n := range sizes {
			total += n
		}
		work.Go(func() error {
			for _, n := range sizes {
				if err := s.Insert(t.Context(), "INSERT INTO many", someOfManyTypes(first, n)...); err != nil {
					return err
				}
				first += n
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, rightRows); n != uint64(total) {
		t.Errorf("%d rows are right, want %d", n, total)
	}
}

func TestInsertOfPiecesIsOneBlock(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, manyTypes, "SYSTEM STOP MERGES")
	defer exec(t, s, "SYSTEM START MERGES")
	pieces := [][]any{someOfManyTypes(0, 10), someOfManyTypes(10, 0), someOfManyTypes(10, 25)}
	if err := s.InsertPieces(t.Context(), "INSERT INTO many", pieces); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, rightRows); n != 35 {
		t.Errorf("%d rows are right, want 35", n)
	}
	if n := count(t, s, "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'many'"); n != 1 {
		t.Errorf("%d parts, want 1", n)
	}
}

func TestInsertAfterAFailedOneIsRight(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, strings.Replace(manyTypes, "o Nullable(UInt64)", "o Nullable(UInt64), CONSTRAINT c CHECK n != 150", 1))
	const into = "INSERT INTO many (id, n, a, s, t, i, b, o)"
	for from, fails := range []bool{false, true, false, false} {
		if err := s.Insert(t.Context(), into, someOfManyTypes(from*100, 100)...); (err != nil) != fails {
			t.Errorf("insert %d: %v", from, err)
		}
	}
	uneven := someOfManyTypes(400, 10)
	uneven[3] = uneven[3].([]string)[:9]
	if err := s.Insert(t.Context(), into, uneven...); err == nil {
		t.Error("uneven columns are accepted")
	}
	wrong := someOfManyTypes(400, 10)
	wrong[1] = wrong[3]
	if err := s.Insert(t.Context(), into, wrong...); err == nil {
		t.Error("texts are accepted as numbers")
	}
	if err := s.Insert(t.Context(), into, someOfManyTypes(400, 0)...); err != nil {
		t.Errorf("no rows: %v", err)
	}
	if err := s.Insert(t.Context(), into, someOfManyTypes(400, 100)...); err != nil {
		t.Error(err)
	}
	if n := count(t, s, rightRows); n != 400 || count(t, s, "SELECT count() FROM many") != 400 {
		t.Errorf("%d rows are right, want 400", n)
	}
}
