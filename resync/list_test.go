package resync

import (
	"testing"
	"time"
)

// A client's next ordinary message has the serial from which its answer would go on.
func TestNoAnswerComesBeforeTheClientHasTheRequest(t *testing.T) {
	b := newBench(t, soon())
	c := client(1)
	step := func() string {
		list, err := b.List(t.Context(), ListOptions{Client: c})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].Step
	}
	report := func(serial uint64) {
		b.wait(time.Minute)
		history{b, c}.reported(int(b.now.Sub(today)/time.Minute), serial)
	}
	b.arrive(c, 5, 9)
	history{b, c}.reported(0, 7)
	b.equal("asked to go on from", b.check(CheckOptions{}).Issued[0].NextSerial, 10)
	report(10)
	b.equal("an ordinary report came", step(), stepIssued)
	b.wait(time.Minute)
	b.poll(c, 10)
	b.equal("it has the request", step(), stepPickedUp)
	report(11)
	b.equal("news came, and nothing of what it sent before", step(), stepPickedUp)
	history{b, c}.repeated(int(b.now.Sub(today)/time.Minute), 12, 10)
	b.equal("what it sent before came again", step(), stepPickedUp)
	history{b, c}.repeated(int(b.now.Sub(today)/time.Minute), 13, 7)
	b.equal("what it sent before it was asked came again", step(), stepAnswering)
}
