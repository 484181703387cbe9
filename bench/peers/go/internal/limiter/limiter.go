// Package limiter is an exact sliding window in one write: the times of the last admitted requests,
// shifted on.
package limiter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"bench/peer/internal/table"
)

const (
	limit  = 10
	window = 60_000
)

var update, condition = expressions()

func expressions() (string, string) {
	var shifts strings.Builder
	for n := limit; n > 1; n-- {
		fmt.Fprintf(&shifts, "T%d = if_not_exists(T%d, :never), ", n, n-1)
	}
	return "SET " + shifts.String() + "T1 = :now, ExpiresAt = :expires",
		fmt.Sprintf("attribute_not_exists(T%[1]d) OR T%[1]d <= :cutoff OR T%[1]d > :impossible", limit)
}

// Admit counts a request of a client. It gives whether it is admitted, and the headers that say so.
func Admit(ctx context.Context, t *table.Table, client string) (bool, map[string]string, error) {
	now := time.Now().UnixMilli()
	number := func(value int64) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
	}
	output, err := t.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           t.Name,
		Key:                 table.Key("RATE#exists#"+client, "RATE"),
		UpdateExpression:    &update,
		ConditionExpression: &condition,
		ExpressionAttributeValues: table.Item{
			":now":        number(now),
			":never":      number(0),
			":cutoff":     number(now - window),
			":impossible": number(now + window),
			":expires":    number((now+window)/1000 + 1),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var full *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &full):
		times := timesOf(full.Item)
		if len(times) == 0 {
			return false, nil, errors.New("a refusal came without its item")
		}
		wait := times[len(times)-1] + window - now
		headers := quota(0, wait)
		headers["Retry-After"] = seconds(wait)
		return false, headers, nil
	case err != nil:
		return false, nil, err
	}
	used, oldest := 0, now
	for _, time := range timesOf(output.Attributes) {
		if time > now-window {
			used++
			oldest = min(oldest, time)
		}
	}
	return true, quota(limit-used, oldest+window-now), nil
}

func timesOf(item table.Item) []int64 {
	var times []int64
	for n := 1; n <= limit; n++ {
		number, ok := item["T"+strconv.Itoa(n)].(*types.AttributeValueMemberN)
		if !ok {
			break
		}
		time, err := strconv.ParseInt(number.Value, 10, 64)
		if err != nil {
			break
		}
		times = append(times, time)
	}
	return times
}

func quota(remaining int, reset int64) map[string]string {
	return map[string]string{
		"RateLimit-Policy": fmt.Sprintf(`"exists";q=%d;w=%d`, limit, window/1000),
		"RateLimit":        fmt.Sprintf(`"exists";r=%d;t=%s`, remaining, seconds(reset)),
	}
}

func seconds(millis int64) string {
	return strconv.FormatInt((millis+999)/1000, 10)
}
