//! Messages to people: SNS topics and mail by SES.

use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_sdk_sns::types::MessageAttributeValue;

use crate::account::Account;
use crate::error::{Asked, CloudError, CloudErrorKind, Result};
use crate::runtime;

impl Account {
    /// Publishes to a topic (`sns:Publish`); the message's id. Attributes are names with texts; empty ones are left out.
    ///
    /// # Errors
    /// Not found, not allowed, not reached.
    pub fn publish(
        &self,
        topic: &str,
        subject: &str,
        text: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String> {
        let asked = Asked { what: format!("topic {topic}"), action: "sns:Publish" };
        let mut request =
            aws_sdk_sns::Client::new(&self.sdk).publish().topic_arn(topic).subject(subject).message(text);
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(*value).build();
            request = request.message_attributes(*name, value.map_err(|e| unfit(&asked.what, &e))?);
        }
        runtime::run(async move {
            let sent = request.send().await.map_err(|e| asked.failed(&e))?;
            Ok(sent.message_id().unwrap_or_default().to_owned())
        })
    }

    /// Sends a plain text by mail (`ses:SendEmail`); the message's id.
    ///
    /// # Errors
    /// Not allowed, not reached, or an address that SES does not take.
    pub fn mail(&self, from: &str, to: &[String], subject: &str, text: &str) -> Result<String> {
        let asked = Asked { what: format!("mail from {from} in {}", self.region), action: "ses:SendEmail" };
        let content = |text: &str| {
            Content::builder().data(text).charset("UTF-8").build().map_err(|e| unfit(&asked.what, &e))
        };
        let message = Message::builder()
            .subject(content(subject)?)
            .body(Body::builder().text(content(text)?).build())
            .build();
        let request = aws_sdk_sesv2::Client::new(&self.sdk)
            .send_email()
            .from_email_address(from)
            .destination(Destination::builder().set_to_addresses(Some(to.to_vec())).build())
            .content(EmailContent::builder().simple(message).build());
        runtime::run(async move {
            let sent = request.send().await.map_err(|e| asked.failed(&e))?;
            Ok(sent.message_id().unwrap_or_default().to_owned())
        })
    }
}

fn unfit(what: &str, e: &impl std::error::Error) -> CloudError {
    CloudError::new(CloudErrorKind::Unfit, what, e.to_string())
}
