//! The six operations and two errors, by the generated types.

mod users;

use std::env;

use users::{
    ApiResponse, CheckUserExistsRequest, CheckUserExistsRequestQuery, CreateUserRequest,
    GetCustomerAssociationRequest, GetCustomerAssociationRequestQuery, GetProfileRequest,
    ListCustomerAssociationsRequest, ListCustomerAssociationsRequestQuery, ListOrganizationsRequest, NewUser,
    ProblemOrValidationProblem, UsersClient,
};

const JANE: &str = "kp_abc123def456";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let url = env::var("API_URL").unwrap_or_else(|_| "http://127.0.0.1:3000".to_owned());
    let anyone = UsersClient::with_base_url(&url)?;
    let admin = anyone.clone().with_access_token(env::var("ADMIN_TOKEN")?);
    let customer = anyone.clone().with_access_token(env::var("CUSTOMER_TOKEN")?);

    let new_user = NewUser {
        first_name: "Ru".to_owned(),
        last_name: "St".to_owned(),
        email: "rust@example.com".to_owned(),
        ..NewUser::default()
    };
    let create =
        async |new_user: &NewUser| admin.create_user(CreateUserRequest { body: new_user.clone() }).await;

    let ApiResponse::Created(created) = create(&new_user).await? else { panic!("not created") };
    // A promised member, and one that may be null.
    let phone_number: Option<String> = created.body.phone_number.clone();
    assert_eq!(phone_number, None);

    let other = NewUser { first_name: "Other".to_owned(), ..new_user.clone() };
    let ApiResponse::Ok(again) = create(&other).await? else { panic!("not there") };
    assert_eq!(again.body, created.body);

    let profile = customer.get_profile(GetProfileRequest {}).await?;
    let ApiResponse::Ok(profile) = profile else { panic!("{profile:?}") };
    assert_eq!(profile.body.email, "jane@example.com");

    let query = CheckUserExistsRequestQuery { email: new_user.email.clone() };
    let existence = anyone.check_user_exists(CheckUserExistsRequest { query }).await?;
    let ApiResponse::Ok(existence) = existence else { panic!("{existence:?}") };
    assert!(existence.body.user_exists);

    let organizations = admin.list_organizations(ListOrganizationsRequest {}).await?;
    let ApiResponse::Ok(organizations) = organizations else { panic!("{organizations:?}") };
    assert!(organizations.body.organizations.iter().any(|organization| organization.slug == "acme-corp"));

    let query = GetCustomerAssociationRequestQuery { user_id: JANE.to_owned() };
    let association = admin.get_customer_association(GetCustomerAssociationRequest { query }).await?;
    let ApiResponse::Ok(association) = association else { panic!("{association:?}") };
    assert_eq!(association.body.customer_number, "C-10042");
    let query = ListCustomerAssociationsRequestQuery { user_id: JANE.to_owned() };
    let associations = admin.list_customer_associations(ListCustomerAssociationsRequest { query }).await?;
    let ApiResponse::Ok(associations) = associations else { panic!("{associations:?}") };
    assert_eq!(associations.body.len(), 2);

    let nonsense = NewUser { email: "nonsense".to_owned(), ..new_user };
    let ApiResponse::BadRequest(invalid) = create(&nonsense).await? else { panic!("valid") };
    let ProblemOrValidationProblem::ValidationProblem(problem) = invalid.body else { panic!("not told why") };
    let messages: &Vec<String> = &problem.errors["Email"];
    assert_eq!(messages.len(), 1);

    let forbidden = admin.get_profile(GetProfileRequest {}).await?;
    let ApiResponse::Forbidden(forbidden) = forbidden else { panic!("{forbidden:?}") };
    let ProblemOrValidationProblem::Problem(problem) = forbidden.body else { panic!("no plain problem") };
    assert_eq!(problem.title, "Forbidden");
    assert_eq!(problem.trace_id, forbidden.headers.x_request_id);

    println!("Rust: six operations and two problems, as typed");
    Ok(())
}
