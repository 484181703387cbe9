// GET /api/users/profile
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"

	"bench/peer/internal/api"
	"bench/peer/internal/table"
	"bench/peer/internal/tokens"
)

type profile struct {
	FirstName, LastName, Email string
	PhoneNumber                *string
}

func main() {
	ctx := context.Background()
	users, err := table.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	verifier := tokens.New(users)
	// Opens the connection while the start still has the whole processor.
	if _, err := verifier.Keys(ctx); err != nil {
		api.Warn("the table could not be read at start-up")
	}
	lambda.Start(api.Endpoint("GET /api/users/profile",
		func(ctx context.Context, request *api.Request) (any, map[string]string, error) {
			return handle(ctx, users, verifier, request)
		}))
}

func handle(
	ctx context.Context, users *table.Table, verifier *tokens.Verifier, request *api.Request,
) (any, map[string]string, error) {
	claims, err := verifier.Authorize(ctx, request, "Customer")
	if err != nil {
		return nil, nil, err
	}
	partition := "USER#" + claims.Subject
	items, err := users.BatchGet(ctx,
		table.Key(partition, "PROFILE"),
		table.Key(partition, "MEMBERSHIP#"+claims.OrganizationID))
	if err != nil {
		return nil, nil, err
	}
	for _, item := range items {
		if sort, _ := table.Text(item, "SK"); sort == "PROFILE" && len(items) == 2 {
			return view(item), nil, nil
		}
	}
	return nil, nil, &api.Problem{Status: 404}
}

func view(user table.Item) profile {
	var view profile
	view.FirstName, _ = table.Text(user, "FirstName")
	view.LastName, _ = table.Text(user, "LastName")
	view.Email, _ = table.Text(user, "Email")
	if preferred, ok := table.Text(user, "PreferredEmail"); ok {
		view.Email = preferred
	}
	if phone, ok := table.Text(user, "PhoneNumber"); ok {
		view.PhoneNumber = &phone
	}
	return view
}
