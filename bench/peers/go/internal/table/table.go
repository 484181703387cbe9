// Package table is the table: one client for the life of the process, its connection kept alive.
package table

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item's attributes.
type Item = map[string]types.AttributeValue

// Table is a table and a client of it.
type Table struct {
	*dynamodb.Client
	Name *string
}

// Open reads the settings. It opens no connection.
func Open(ctx context.Context) (*Table, error) {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("the settings: %w", err)
	}
	name := os.Getenv("TABLE_NAME")
	return &Table{Client: dynamodb.NewFromConfig(settings), Name: &name}, nil
}

// Key is the key of an item.
func Key(pk, sk string) Item {
	return Item{"PK": &types.AttributeValueMemberS{Value: pk}, "SK": &types.AttributeValueMemberS{Value: sk}}
}

// Get reads an item; nil where there is none.
func (t *Table) Get(ctx context.Context, pk, sk string) (Item, error) {
	consistent := true
	output, err := t.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      t.Name,
		Key:            Key(pk, sk),
		ConsistentRead: &consistent,
	})
	if err != nil {
		return nil, err
	}
	return output.Item, nil
}

// BatchGet reads those of the items that are there.
func (t *Table) BatchGet(ctx context.Context, keys ...Item) ([]Item, error) {
	consistent := true
	left := map[string]types.KeysAndAttributes{*t.Name: {Keys: keys, ConsistentRead: &consistent}}
	var found []Item
	for len(left) > 0 {
		output, err := t.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: left})
		if err != nil {
			return nil, err
		}
		found = append(found, output.Responses[*t.Name]...)
		left = output.UnprocessedKeys
	}
	return found, nil
}

// Text is the text of an attribute, and whether there is one.
func Text(item Item, name string) (string, bool) {
	value, ok := item[name].(*types.AttributeValueMemberS)
	if !ok {
		return "", false
	}
	return value.Value, true
}
