//! The walk's sales, and what is given back of them.

use reqwest::Method;

use super::{Line, Sale, Walk};

/// A fifth, half away from zero: the program's rate is 20 %.
fn fifth(amount: i64) -> i64 {
    (amount * 2 + 5) / 10
}

impl Walk {
    pub async fn sell(&mut self, number: usize) {
        let who = self.anybody();
        let most = if self.chance.below(4) == 0 { 9_999_999 } else { 999 };
        let amount = if self.chance.below(12) == 0 { 0 } else { self.chance.minor(most) };
        let affiliate = &self.model.affiliates[who];
        let by_click = !affiliate.click_ids.is_empty() && self.chance.below(2) == 0;
        let evidence = if by_click {
            let place = self.chance.below(affiliate.click_ids.len());
            format!(r#""clickId":"{}""#, affiliate.click_ids[place])
        } else {
            format!(r#""referralCode":"{}""#, affiliate.code.to_lowercase())
        };
        let body = format!(r#"{{{evidence},"amount":{},"orderId":"order-{number}"}}"#, self.model.decimal(amount));
        let answer = self.api.raw(Method::POST, "/referrals/convert", body.clone()).await;
        if affiliate.status == "blocked" {
            return answer.refuses(if by_click { "clickId" } else { "referralCode" });
        }
        assert_eq!(answer.status, 201, "{body}: {answer:?}");
        let commission = fifth(amount);
        assert!(answer.text.contains(&format!(r#""commission":{},"#, self.model.decimal(commission))), "{answer:?}");
        let id = answer.data()["conversionId"].as_str().unwrap().to_owned();
        let line = self.api.newest_commission(&affiliate.id).await;
        let (sale, text) = (self.model.sales.len(), answer.text);
        self.model.sales.push(Sale { id, affiliate: who, body, text, amount, commission, refunded: 0 });
        self.model.lines.push(Line {
            id: line,
            sale: Some(sale),
            affiliate: who,
            amount: commission,
            status: "pending",
            is_reversal: false,
            batch: None,
            is_held: false,
        });
    }

    pub async fn sell_again(&mut self) {
        if self.model.sales.is_empty() {
            return;
        }
        let place = self.chance.below(self.model.sales.len());
        let sale = &self.model.sales[place];
        let again = self.api.raw(Method::POST, "/referrals/convert", sale.body.clone()).await;
        assert_eq!((again.status.as_u16(), &again.text), (200, &sale.text));
        let amount = format!(r#""amount":{},"#, self.model.decimal(sale.amount));
        let other = format!(r#""amount":{},"#, self.model.decimal(sale.amount + 1));
        let answer = self.api.raw(Method::POST, "/referrals/convert", sale.body.replace(&amount, &other)).await;
        answer.refuses("orderId");
    }

    pub async fn refund(&mut self, number: usize) {
        if self.model.sales.is_empty() {
            return;
        }
        let place = self.chance.below(self.model.sales.len());
        let (left, all) =
            (self.model.sales[place].amount - self.model.sales[place].refunded, self.chance.below(3) == 0);
        let wanted = if all { left } else { self.chance.minor(left.max(1) + 1) };
        let amount = if all { "null".into() } else { self.model.decimal(wanted) };
        let body = format!(r#"{{"amount":{amount},"refundId":"refund-{number}"}}"#);
        let path = format!("/conversions/{}/refunds", self.model.sales[place].id);
        let answer = self.api.raw(Method::POST, &path, body.clone()).await;
        if wanted > left || wanted == 0 {
            return answer.refuses("amount");
        }
        assert_eq!(answer.status, 201, "{wanted} of {left}: {answer:?}");
        let again = self.api.raw(Method::POST, &path, body).await;
        assert_eq!((again.status.as_u16(), &again.text), (200, &answer.text));

        let sale = &mut self.model.sales[place];
        // Always from the whole so far, half away from zero.
        let reversed = |refunded: i64| match sale.amount {
            0 => 0,
            amount => {
                let twice = i128::from(sale.commission) * i128::from(refunded) * 2 + i128::from(amount);
                i64::try_from(twice / (2 * i128::from(amount))).unwrap()
            }
        };
        let back = reversed(sale.refunded + wanted) - reversed(sale.refunded);
        sale.refunded += wanted;
        let text = format!(r#""commissionReversed":{},"#, self.model.decimal(back));
        assert!(answer.text.contains(&text), "{text}: {answer:?}");
        if back != 0 {
            self.take_back(place, back).await;
        }
    }

    async fn take_back(&mut self, sale: usize, back: i64) {
        let earned = self.model.lines.iter_mut().find(|line| line.sale == Some(sale) && !line.is_reversal).unwrap();
        if earned.status != "paid" && !earned.is_held {
            earned.amount -= back;
            return;
        }
        let affiliate = earned.affiliate;
        let id = self.api.newest_commission(&self.model.affiliates[affiliate].id).await;
        self.model.lines.push(Line {
            id,
            sale: Some(sale),
            affiliate,
            amount: -back,
            status: "approved",
            is_reversal: true,
            batch: None,
            is_held: false,
        });
    }
}
