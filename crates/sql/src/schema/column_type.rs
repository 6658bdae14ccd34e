//! The types of columns, as programs name them.

/// The type of a column, spelled by each dialect in its own way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// What [`id`](crate::Blueprint::id) numbers rows with, and what points to such a row: 64 bits, unsigned where the engine
    /// has unsigned integers.
    Id,
    /// True or false.
    Boolean,
    /// An integer of 8 bits, of 16 where there is no smaller type.
    TinyInt,
    /// An integer of 16 bits.
    SmallInt,
    /// An integer of 32 bits.
    Integer,
    /// An integer of 64 bits.
    BigInt,
    /// A float of single precision.
    Float,
    /// A float of double precision.
    Double,
    /// An exact number: digits in all, digits after the point.
    Decimal(u16, u16),
    /// Text of exactly this many characters.
    Char(u32),
    /// Text of at most this many characters.
    Varchar(u32),
    /// Text of at least 65,535 bytes; without a limit where the engine has no small type.
    Text,
    /// Text of at least 16 MiB less a byte.
    MediumText,
    /// Text of at least 1 GiB.
    LongText,
    /// Bytes of any length.
    Blob,
    /// A calendar date.
    Date,
    /// A time of day, to the microsecond.
    Time,
    /// A date and time without a zone, to the microsecond.
    DateTime,
    /// An instant, to the microsecond. Where the engine has no type for it, or one that ends in 2038, a date and time in UTC.
    Timestamp,
    /// A year; a small integer where there is no such type.
    Year,
    /// A JSON document.
    Json,
    /// A UUID.
    Uuid,
    /// One of these labels. Where the engine has no type for it that can be changed, a text with a CHECK.
    Enum(Vec<String>),
    /// A type as the engine spells it, for what has no name here. SQL: never built from input.
    Raw(String),
}

impl ColumnType {
    /// Whether it is a whole number, which may be unsigned.
    pub fn is_integer(&self) -> bool {
        matches!(
            self,
            ColumnType::Id | ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt
        )
    }
}
