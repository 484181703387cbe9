// GET /api/users/exists
package main

import (
	"context"
	"log"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"golang.org/x/text/unicode/norm"

	"bench/peer/internal/api"
	"bench/peer/internal/limiter"
	"bench/peer/internal/table"
)

var email = regexp.MustCompile(`^[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+$`)

func main() {
	ctx := context.Background()
	users, err := table.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// Opens the connection while the start still has the whole processor.
	if _, err := users.Get(ctx, "EMAIL#", "EMAIL"); err != nil {
		api.Warn("the table could not be read at start-up")
	}
	lambda.Start(api.Endpoint("GET /api/users/exists",
		func(ctx context.Context, request *api.Request) (any, map[string]string, error) {
			return handle(ctx, users, request)
		}))
}

func handle(ctx context.Context, users *table.Table, request *api.Request) (any, map[string]string, error) {
	admitted, headers, err := limiter.Admit(ctx, users, request.RequestContext.HTTP.SourceIP)
	if err != nil {
		return nil, nil, err
	}
	if !admitted {
		return nil, nil, &api.Problem{Status: 429, Headers: headers}
	}
	query, err := url.ParseQuery(request.RawQueryString)
	emails := query["Email"]
	if err != nil || len(emails) != 1 || !email.MatchString(strings.TrimSpace(emails[0])) {
		return nil, nil, &api.Problem{Status: 400, Headers: headers}
	}
	normalized := strings.ToLower(norm.NFC.String(strings.TrimSpace(emails[0])))
	claim, err := users.Get(ctx, "EMAIL#"+normalized, "EMAIL")
	if err != nil {
		return nil, nil, err
	}
	return struct{ UserExists bool }{claim != nil}, headers, nil
}
