//! What is wrong with a schedule.

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It has none of the forms.
    #[error(
        "\"{0}\" is no schedule\n  hint: write rate(3 hours), cron(0 2 * * ? *), a cron line such as 0 2 * * *, or @daily"
    )]
    Form(String),
    /// A rate that makes no sense.
    #[error("rate({0}): write a number above 0 and minutes, hours or days, such as rate(30 minutes)")]
    Rate(String),
    /// Too few or too many fields.
    #[error("{form} has {wanted} fields: {names}; here are {found}")]
    Fields {
        /// What was to be read.
        form: &'static str,
        /// So many fields it has.
        wanted: usize,
        /// Their names.
        names: String,
        /// So many were found.
        found: usize,
    },
    /// A field that makes no sense.
    #[error("{field} \"{text}\": {why}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What stands in it.
        text: String,
        /// Why it makes no sense, and what is allowed.
        why: String,
    },
    /// A day that no calendar has.
    #[error("\"{0}\" never comes: no calendar has such a day")]
    Never(String),
}
